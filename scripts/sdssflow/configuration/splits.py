"""How a sample is divided into train, validation, calibration and test."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sdssflow.configuration.section import Section


def _power_of_two(nside: int) -> int:
    if nside & (nside - 1):
        raise ValueError(f"HEALPix has no nside {nside}: 1, 2, 4, 8, ...")
    return nside


Fraction = Annotated[float, Field(ge=0, lt=1)]
Nside = Annotated[int, Field(ge=1, le=2**29), AfterValidator(_power_of_two)]
Group = Literal["object", "plate", "sky_cell"]


class Parted(Section):
    """What all splits share: a part to train on."""

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> Self:
        parts = [name for name in ("test", "validation", "calibration") if hasattr(self, name)]
        if sum(getattr(self, name) for name in parts) >= 1:
            raise ValueError(f"{' + '.join(parts)} leave nothing to train on")
        return self


class Grouped(Parted):
    """What splits by groups share."""

    group: Group = "object"
    """What must not be split across parts: an `object` with all its duplicates, a spectroscopic
    `plate`, or a `sky_cell` (HEALPix)."""
    nside: Nside = 32
    """HEALPix resolution of `sky_cell` (32: cells of 1.8 degrees)."""


class PublishedSplit(Parted):
    """The train and test parts that came with the sample; the rest is drawn from train."""

    kind: Literal["published"]
    """Keep the sample's own train and test parts."""
    validation: Fraction = 0.1
    """Fraction of the published train part held back for early stopping."""
    calibration: Fraction = 0.1
    """Fraction of the published train part held back for calibration."""


class HoldoutSplit(Grouped):
    """One test part, drawn by a hash of the group key: adding rows moves no row."""

    kind: Literal["holdout"]
    """Draw test, calibration and validation; the rest is train."""
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Fraction of the groups for test."""
    validation: Fraction = 0.1
    """Fraction of the groups for early stopping."""
    calibration: Fraction = 0.1
    """Fraction of the groups for calibration."""


class CrossValidationSplit(Grouped):
    """Each object is tested once: for small samples."""

    kind: Literal["cross_validation"]
    """Divide the sample into folds; each is tested once."""
    folds: Annotated[int, Field(ge=2)] = 5
    """Number of folds."""
    validation: Fraction = 0.0
    """Fraction of the groups outside the test fold for early stopping."""
    calibration: Fraction = 0.2
    """Fraction of the groups outside the test fold for calibration."""


Split = Annotated[PublishedSplit | HoldoutSplit | CrossValidationSplit, Field(discriminator="kind")]


class WholeSample(Grouped):
    """No test part: for the training of an evaluated model on all objects (`refit`)."""

    validation: Fraction
    """Fraction of the groups for early stopping."""
    calibration: Fraction
    """Fraction of the groups for calibration."""

    @classmethod
    def after(cls, split: Split) -> WholeSample:
        """Return the split of all objects with the groups and fractions of an evaluated split."""
        shared = {"group", "nside", "validation", "calibration"}
        return cls(**split.model_dump(include=shared))
