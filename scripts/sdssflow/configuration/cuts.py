"""Quality cuts, each with a name, its parameters and its purpose."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sdssflow.bands import BANDS
from sdssflow.configuration.section import Name, Section, SomeDifferent

Band = Literal["u", "g", "r", "i", "z"]
Magnitudes = Literal["model", "psf", "petro", "cmodel"]


class CompletePhotometry(Section):
    """Keep objects with a magnitude in all five bands."""

    cut: Literal["complete_photometry"]
    """All five bands present."""
    magnitudes: SomeDifferent[Magnitudes] = ["model"]
    """Which magnitudes are required."""
    errors: bool = False
    """Whether the magnitude errors are required too."""


class CompleteColumns(Section):
    """Keep objects with a measurement in each of some columns: neither missing nor a limit."""

    cut: Literal["complete_columns"]
    """Measured in all of some columns."""
    columns: SomeDifferent[Name]
    """Columns beyond ugriz, such as `wise_mag_w1` or those of `source.declared`, or of extinction,
    such as `extinction_r`."""


class MagnitudeRange(Section):
    """Keep objects within a range of magnitude (both ends included)."""

    cut: Literal["magnitude_range"]
    """Magnitude within limits."""
    band: Band = "r"
    """The band."""
    magnitudes: Magnitudes = "model"
    """Which magnitude."""
    minimum: float | None = None
    """Bright limit in mag."""
    maximum: float | None = None
    """Faint limit in mag."""

    @model_validator(mode="after")
    def _has_a_limit(self) -> MagnitudeRange:
        if self.minimum is None and self.maximum is None:
            raise ValueError("give minimum, maximum or both")
        return self


class MagnitudeError(Section):
    """Keep objects whose magnitude errors are at most a limit in every named band."""

    cut: Literal["magnitude_error"]
    """Photometric errors below a limit."""
    bands: SomeDifferent[Band] = ["g", "r", "i"]
    """The bands."""
    magnitudes: Magnitudes = "model"
    """Which magnitude."""
    maximum: Annotated[float, Field(gt=0)]
    """Largest error in mag."""


class ColorRange(Section):
    """Keep objects whose four adjacent colours all lie in a range: removes bad photometry."""

    cut: Literal["color_range"]
    """Colours within limits."""
    magnitudes: Magnitudes = "model"
    """Which magnitude."""
    minimum: float = -5.0
    """Bluest colour in mag."""
    maximum: float = 8.0
    """Reddest colour in mag."""


class RedshiftRange(Section):
    """Keep objects with a redshift in a range (both ends included)."""

    cut: Literal["redshift_range"]
    """Spectroscopic redshift present and within limits."""
    minimum: float = 0.0
    """Lowest redshift."""
    maximum: float = 8.0
    """Highest redshift."""


class NonzeroRedshift(Section):
    """Remove redshifts of exactly zero: a defect of several public copies, not a measurement."""

    cut: Literal["nonzero_redshift"]
    """Redshift not exactly 0."""


class ZWarning(Section):
    """Keep objects whose spectroscopic pipeline raised no warning (zWarning == 0)."""

    cut: Literal["z_warning"]
    """No spectroscopic warning."""


class Classes(Section):
    """Keep objects of the named spectroscopic classes."""

    cut: Literal["classes"]
    """Class among those named."""
    keep: SomeDifferent[Literal["GALAXY", "QSO", "STAR"]] = ["GALAXY", "QSO", "STAR"]
    """The classes to keep."""


class UniqueObjects(Section):
    """Keep the first row of each object (same objid, spectrum or position; else magnitudes)."""

    cut: Literal["unique_objects"]
    """One row per object."""
    radius_arcsec: Annotated[float, Field(gt=0)] = 0.5
    """Rows that lie closer than this are one object, whatever their ids."""


Cut = Annotated[
    CompletePhotometry
    | CompleteColumns
    | MagnitudeRange
    | MagnitudeError
    | ColorRange
    | RedshiftRange
    | NonzeroRedshift
    | ZWarning
    | Classes
    | UniqueObjects,
    Field(discriminator="cut"),
]


def needed_by(cut: Cut) -> list[str]:
    """Return the columns of a catalogue that a cut uses."""
    match cut:
        case CompletePhotometry():
            kinds = [f"{kind}_mag" for kind in cut.magnitudes]
            kinds += [f"{kind}_err" for kind in kinds if cut.errors]
            return [f"{kind}_{band}" for kind in kinds for band in BANDS]
        case CompleteColumns():
            return list(cut.columns)
        case MagnitudeRange():
            return [f"{cut.magnitudes}_mag_{cut.band}"]
        case MagnitudeError():
            return [f"{cut.magnitudes}_mag_err_{band}" for band in cut.bands]
        case ColorRange():
            return [f"{cut.magnitudes}_mag_{band}" for band in BANDS]
        case RedshiftRange() | NonzeroRedshift():
            return ["zspec"]
        case ZWarning():
            return ["z_warning"]
        case Classes():
            return ["spec_class"]
        case UniqueObjects():
            return ["row_id"]


class Cuts(Section):
    """An ordered list of cuts, as one parameter of a rule."""

    cuts: list[Cut]
    """The cuts in order."""
