"""What the models see."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from sdssflow.bands import BANDS, WISE_BANDS
from sdssflow.configuration.leaks import leak_of
from sdssflow.configuration.section import Different, Name, Section, SomeDifferent

Band = Literal["u", "g", "r", "i", "z"]
Magnitudes = Literal["model", "psf", "petro", "cmodel"]

FeatureGroup = Literal[
    "magnitudes",
    "colors",
    "reference_magnitude",
    "magnitude_errors",
    "color_errors",
    "luptitudes",
    "psf_minus_model",
    "psf_minus_petro",
    "psf_minus_cmodel",
    "resolved",
    "petro_radius",
    "concentration",
    "shape",
    "wise_colors",
    "extra",
]


class Features(Section):
    """The features that models use."""

    magnitudes: Magnitudes = "model"
    """Which SDSS magnitudes are used for colours and magnitudes."""
    groups: SomeDifferent[FeatureGroup] = ["colors", "reference_magnitude"]
    """Groups of features, in this order. Redshifts, ids, plates, fibres and positions can't be
    among them. Contents and requirements of each group: docs/features.md."""
    extra: Different[Name] = Field(default=[], exclude_if=lambda names: not names)
    """Columns that the group `extra` uses unchanged: those of `source.declared`, and those beyond
    ugriz that need no declaration, such as `wise_mag_w1`."""
    reference_band: Band = "r"
    """Band of the reference magnitude; also the magnitude that scores are binned by."""
    deredden: bool = True
    """Correct for Galactic extinction where it is known and not yet applied."""

    @property
    def needs(self) -> dict[str, list[str]]:
        """Columns of the catalogue that each group is made of, apart from extinction.

        `reference_band` has the magnitude that scores are binned by.
        """

        def mags(kind: str) -> list[str]:
            return [f"{kind}_mag_{band}" for band in BANDS]

        own = mags(self.magnitudes)
        errors = [name.replace("_mag_", "_mag_err_") for name in own]
        of_group = {
            "magnitudes": own,
            "colors": own,
            "reference_magnitude": own,
            "luptitudes": own,
            "magnitude_errors": errors,
            "color_errors": errors,
            "psf_minus_model": mags("psf") + mags("model"),
            "psf_minus_petro": mags("psf") + mags("petro"),
            "psf_minus_cmodel": mags("psf") + mags("cmodel"),
            "resolved": ["psf_mag_r", "cmodel_mag_r"],
            "petro_radius": ["petro_rad_r"],
            "concentration": ["petro_r50_r", "petro_r90_r"],
            "shape": ["axis_ratio_dev_r", "axis_ratio_exp_r", "frac_dev_r"],
            "wise_colors": [own[BANDS.index("r")], *(f"wise_mag_{band}" for band in WISE_BANDS)],
            "extra": self.extra,
        }
        used = {f"groups: {group}": of_group[group] for group in self.groups}
        return used | {"reference_band": [own[BANDS.index(self.reference_band)]]}

    @field_validator("groups", "extra", mode="before")
    @classmethod
    def _no_leaks(cls, names: object) -> object:
        for name in names if isinstance(names, list) else []:
            if reason := leak_of(str(name)):
                raise ValueError(f"{name!r} can't be a feature: {reason}")
        return names

    @model_validator(mode="after")
    def _extra_has_columns(self) -> Features:
        if ("extra" in self.groups) != bool(self.extra):
            raise ValueError(
                "the group extra and the list extra go together: list the columns in extra, and "
                "add extra to the groups"
            )
        return self
