"""How redshift densities p(z) are calibrated, summarised and scored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sdssflow.configuration.section import Section


class PdfCalibration(Section):
    """The settings of rule calibrate_pdfs; others don't rerun it."""

    recalibration: Literal["width", "none"] = "width"
    """Whether the widths of p(z) are stretched by the factor that fits the calibration part."""
    magnitude_bins: Annotated[int, Field(ge=1)] = 4
    """Bins of the reference magnitude, with equal numbers of calibration objects, within each of
    which conformal intervals have their nominal coverage."""
    neighbours: Annotated[int, Field(ge=1)] = 10
    """The distance to the training part is that to the nearest training object of this rank in
    colour space."""
    outside_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Fraction of the training objects that lie beyond the limit for flagging an object as outside
    the training part."""
    reference_objects: Annotated[int, Field(ge=100)] = 20_000
    """Maximum number of training objects for the distances, chosen by a seeded draw."""


class RedshiftPdfs(PdfCalibration):
    """Calibration and summaries of p(z), for the regressors that give one."""

    weight_neighbours: Annotated[int, Field(ge=1)] = 50
    """Number of nearest objects with spectra for the density ratio that weights objects with
    spectra to represent the test objects."""
    quantiles: Annotated[int, Field(ge=9)] = 99
    """Number of quantiles of each p(z) in `pdfs.hdf5`."""
    pit_bins: Annotated[int, Field(ge=4)] = 20
    """Bins of the histogram of the probability integral transform."""
    bins: Annotated[int, Field(ge=2)] = 6
    """Bins of redshift and magnitude, with equal numbers of objects, for the scores of p(z)."""
    tomographic_bins: Annotated[int, Field(ge=1)] = 4
    """Bins of zphot, with equal numbers of objects, in which p(z) are stacked into n(z)."""
    stack_bins: Annotated[int, Field(ge=10)] = 60
    """Bins of redshift of a stacked n(z)."""

    def calibration(self) -> PdfCalibration:
        """Return the part of the settings that calibrations depend on."""
        return PdfCalibration(**self.model_dump(include=set(PdfCalibration.model_fields)))
