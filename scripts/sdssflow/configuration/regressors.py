"""The regressors a run can train, with their parameters."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sdssflow.configuration.kinds import ModelSettings
from sdssflow.configuration.networks import NetworkSettings
from sdssflow.configuration.section import PointEstimate, PositiveFloat, PositiveInt


class Regressor(ModelSettings):
    """What all regressors of scikit-learn have in common."""

    task = "regress"
    program = "sdssflow.regress.regressors"


class MeanRegressor(Regressor):
    """Predicts the mean redshift: a baseline without information."""

    takes_missing = True
    kind: Literal["mean"]
    """Mean redshift of the training part."""


class LinearRegression(Regressor):
    """Ordinary least squares in closed form: the lecture's baseline."""

    kind: Literal["linear"]
    """Linear regression by the normal equations."""


class PolynomialRegression(Regressor):
    """Least squares on all products of standardised features up to a degree."""

    kind: Literal["polynomial"]
    """Polynomial regression."""
    degree: Annotated[int, Field(ge=2, le=4)] = 2
    """Highest total degree."""
    alpha: Annotated[float, Field(ge=0)] = 10.0
    """Ridge penalty."""


class DecisionTree(Regressor):
    """One regression tree (Breiman et al. 1984).

    The model of the course Data-driven Astronomy, on the four colours: `features.groups: [colors]`.
    """

    takes_missing = True
    kind: Literal["decision_tree"]
    """Regression tree; leaves have the mean redshift of their training objects."""
    max_depth: PositiveInt | None = None
    """Maximum depth; null: unlimited, which memorises the training redshifts."""
    min_samples_leaf: PositiveInt = 1
    """Fewest objects in a leaf."""


class RandomForestRegressor(Regressor):
    """Trees on bootstrap samples (for redshifts: Carliles et al. 2008, arXiv:0711.2477)."""

    program = "sdssflow.regress.forests"
    gives_pdf = True
    takes_missing = True
    kind: Literal["random_forest"]
    """Random forest."""
    trees: PositiveInt = 300
    """Number of trees."""
    min_samples_leaf: PositiveInt = 3
    """Fewest objects in a leaf."""
    max_features: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Fraction of the features tried at each node."""
    point: PointEstimate = "mean"
    """Summary of p(z) that is zphot."""


class PredictionTrees(Regressor):
    """Trees on realisations of the magnitudes: TPZ (Carrasco Kind & Brunner 2013, arXiv:1303.7269).

    The defaults are those of MLZ's example for the Main Galaxy Sample.
    """

    program = "sdssflow.regress.prediction_trees"
    needs_errors = True
    kind: Literal["prediction_trees"]
    """Trees that use the magnitude errors."""
    realisations: PositiveInt = 2
    """Realisations of the training part: the first as measured, the others perturbed by the
    errors."""
    trees: PositiveInt = 4
    """Number of trees on each of them."""
    min_samples_leaf: PositiveInt = 5
    """Fewest objects in a leaf."""
    attributes_tried: Annotated[int, Field(ge=1, le=9)] = 3
    """How many of the five magnitudes and four colours are tried at each node."""


class GradientBoostingRegressor(Regressor):
    """Histogram gradient boosting with squared loss."""

    takes_missing = True
    kind: Literal["gradient_boosting"]
    """Boosted trees; they accept missing values."""
    iterations: PositiveInt = 300
    """Number of boosting rounds (at most, if there is a validation part to stop on)."""
    learning_rate: PositiveFloat = 0.06
    """Step per round."""
    leaves: Annotated[int, Field(ge=2)] = 31
    """Largest number of leaves of a tree."""
    min_samples_leaf: PositiveInt = 20
    """Fewest objects in a leaf."""


class NeighbourMean(Regressor):
    """The mean redshift of the nearest neighbours, weighted by their distances.

    After Ball et al. 2007 (ApJ 663, 774, arXiv:astro-ph/0612471) and 2008 (ApJ 683, 12,
    arXiv:0804.3413). We do not know how many neighbours and which power they used.
    """

    program = "sdssflow.regress.neighbours"
    kind: Literal["nearest_neighbours"]
    """k nearest neighbours in standardised features."""
    neighbours: PositiveInt = 20
    """Number of neighbours; 1 uses the redshift of the nearest."""
    distance_power: Annotated[float, Field(ge=0, le=10)] = 1.0
    """A neighbour's weight is its distance to minus this power; with 0 all weigh the same."""


class LocalLinear(Regressor):
    """A linear fit to each object's nearest neighbours.

    Beck et al. 2016 (MNRAS 460, 1371, arXiv:1603.09708): 100 neighbours in r and four colours, and
    `clip_sigma: 3.0`.
    """

    program = "sdssflow.regress.neighbours"
    gives_pdf = True
    kind: Literal["local_linear"]
    """Local linear regression."""
    neighbours: Annotated[int, Field(ge=10)] = 100
    """How many neighbours are fitted."""
    clip_sigma: Annotated[float, Field(ge=2)] | None = None
    """Neighbours whose residual from the fit is more than this many times the rms residual are left
    out and the fit is repeated; null: all are used."""
    point: PointEstimate = "mean"
    """Summary of p(z) that is zphot: one Gaussian, so all are equal except for the cut at z = 0."""


class TemplateFit(Regressor):
    """Spectra of galaxies fitted to ugriz: no training (BPZ, Benitez 2000, ApJ 536, 571).

    It uses only the feature names of the training part. The magnitudes have to be dereddened. Its
    package comes with `pip install 'sdssflow[templates]'`.
    """

    program = "sdssflow.regress.templates"
    gives_pdf = True
    needs_errors = True
    kind: Literal["template_fit"]
    """Template fitting."""
    prior: Literal["hdfn", "flat"] = "hdfn"
    """What is assumed of redshifts and spectra: BPZ's prior by magnitude in i, from the Hubble Deep
    Field, which treats everything brighter than 20 as 20; or a flat one."""
    z_max: PositiveFloat = 1.0
    """Largest redshift."""
    z_step: PositiveFloat = 0.005
    """Step between trial redshifts."""
    between: Annotated[int, Field(ge=0)] = 2
    """Number of interpolated spectra between adjacent ones of the eight."""
    error_floor: PositiveFloat = 0.02
    """Added in quadrature to the errors in mag, for zero points and template mismatch."""
    offsets: Annotated[list[float], Field(min_length=5, max_length=5)] = [0.0, 0.0, 0.0, 0.0, 0.0]
    """Added to ugriz to make them AB magnitudes, in mag."""
    point: PointEstimate = "mean"
    """Summary of p(z) that is zphot."""

    @model_validator(mode="after")
    def _its_package_is_there(self) -> Self:
        if not find_spec("desc_bpz"):
            raise PydanticCustomError(
                "not_installed",
                "kind: template_fit needs a package that is not installed: "
                "make .venv/.templates (or: pip install 'sdssflow[templates]')",
            )
        return self


RegressorSettings = Annotated[
    MeanRegressor
    | LinearRegression
    | PolynomialRegression
    | DecisionTree
    | RandomForestRegressor
    | PredictionTrees
    | GradientBoostingRegressor
    | NeighbourMean
    | LocalLinear
    | TemplateFit
    | NetworkSettings,
    Field(discriminator="kind"),
]
