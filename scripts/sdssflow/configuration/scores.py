"""What scores are computed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sdssflow.configuration.section import Different, Section

Share = Annotated[float, Field(gt=0, lt=1)]


Convention = Literal[
    "astroml",
    "ball2007",
    "brescia2014",
    "data_driven_astronomy",
    "henghes2021",
    "mlz",
    "oyaizu2008",
    "rail",
    "sheep2022",
    "yang2017",
]


class RedshiftScores(Section):
    """Conventions of the redshift scores."""

    mape_epsilon: Annotated[float, Field(gt=0)] = 1e-3
    """Smallest |zspec| in the denominator of the mean absolute percentage error."""
    bins: Annotated[int, Field(ge=2)] = 8
    """Bins of redshift and magnitude, with equal numbers of objects."""
    conventions: Different[Convention] = []
    """Papers whose own scores are computed in addition to those of every run, for comparison with
    their numbers; `docs/metric_conventions.md` lists them."""


class ClassScores(Section):
    """Conventions of the class scores."""

    calibration_bins: Annotated[int, Field(ge=2)] = 10
    """Bins of equal width in probability for the expected calibration error."""
    magnitude_bins: Annotated[int, Field(ge=2)] = 6
    """Bins of magnitude, with equal numbers of objects."""
    purity: Different[Share] = [0.95, 0.99]
    """Purities of each class for which thresholds are chosen on the calibration part."""
    completeness: Different[Share] = [0.95, 0.99]
    """Completenesses of each class for which thresholds are chosen on the calibration part."""
