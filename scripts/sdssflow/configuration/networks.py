"""The regressors that are trained in torch, with their parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sdssflow.configuration.kinds import EnsembleSettings, ModelSettings
from sdssflow.configuration.section import (
    Different,
    PointEstimate,
    PositiveFloat,
    PositiveInt,
    Section,
)


class TorchRegressor(ModelSettings):
    """What all regressors that are trained in torch have in common."""

    task = "regress"
    needs_torch = True


class GradientDescent(TorchRegressor):
    """The same linear regression by gradient descent in torch: the lecture's second way."""

    program = "sdssflow.regress.descent"
    kind: Literal["gradient_descent"]
    """Linear regression by gradient descent; agrees with `linear`."""
    learning_rate: PositiveFloat = 0.1
    """Step along the negative gradient."""
    tolerance: PositiveFloat = 1e-10
    """Stop when no component of the gradient is larger."""
    max_steps: PositiveInt = 100_000
    """Most steps."""


class SettingsSearch(Section):
    """Search for the settings of an ensemble by successive halving on the validation part.

    The first candidate is the ensemble as configured, the next ones differ from it only in the
    noise; the others are drawn from all combinations of the lists, where an empty list keeps the
    configured value.
    """

    wide_from: PositiveInt | None = 100_000
    """From this many training objects, the ensemble as configured has twice the units in each layer
    and half the learning rate; null: never."""
    hidden: Different[Annotated[list[PositiveInt], Field(min_length=1)]] = []
    """Units of the hidden layers to try."""
    components: Different[PositiveInt] = []
    """Numbers of components to try."""
    learning_rate: Different[PositiveFloat] = []
    """Learning rates to try."""
    weight_decay: Different[Annotated[float, Field(ge=0)]] = []
    """Weight decays to try."""
    noise: Different[Annotated[float, Field(ge=0)]] = [0.0, 0.5]
    """Strengths of the photometric noise to try, if there are magnitude errors among the
    features."""
    candidates: Annotated[int, Field(ge=2)] = 6
    """Maximum number of candidates in the first round."""
    reduction: Annotated[int, Field(ge=2)] = 2
    """Only the best candidates / reduction continue, with reduction times the epochs."""
    first_epochs: PositiveInt = 20
    """Epochs of the first round; the last one has at most the ensemble's own."""
    members: PositiveInt = 3
    """Members of each candidate."""

    @model_validator(mode="after")
    def _there_is_something_to_try(self) -> SettingsSearch:
        if not (
            self.hidden or self.components or self.learning_rate or self.weight_decay or self.noise
        ):
            raise ValueError(
                "there is nothing to try: name values of a setting, or take search: null"
            )
        return self


class MixtureEnsemble(EnsembleSettings, TorchRegressor):
    """Mixture-density networks trained together as one batched program; their p(z) is averaged."""

    program = "sdssflow.regress.ensemble_training"
    gives_pdf = True
    takes_missing = True
    kind: Literal["mixture_ensemble"]
    """Ensemble of mixture-density networks (Bishop 1994)."""
    activation: Literal["tanh", "silu"] = "silu"
    """Nonlinearity between the layers."""
    components: PositiveInt = 3
    """Gaussian components of each member's p(z)."""
    batch_size: PositiveInt | None = None
    """Objects per step and member; by default about 1/32 of a member's training objects, from 256
    to 4096."""
    noise: Annotated[float, Field(ge=0)] = 0.5
    """Photometric noise that is redrawn in each epoch, in units of the magnitude errors; needs the
    feature group `magnitude_errors`."""
    hide_bands: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Mean number of bands hidden per training object and epoch, so that the networks learn to
    handle missing bands. With 0, only features missing in training may be missing later."""
    noise_aware: bool = False
    """Whether the variance of each component has a learnt term for each ugriz magnitude error."""
    lowest: Annotated[float, Field(gt=-1, le=0)] = 0.0
    """Smallest redshift of p(z); below 0 if the objects include stars."""
    point: PointEstimate = "best"
    """Summary of p(z) that is zphot."""
    checkpoint_epochs: PositiveInt = 20
    """Epochs between checkpoints that a killed training resumes from."""
    search: SettingsSearch | None = SettingsSearch()
    """Search for better settings on the sample itself, by default only for the noise; null keeps
    the configured ones."""
    compiled: bool = False
    """On a GPU: whether the loss is compiled to fewer kernels. That takes 20 s and shortens a step
    by 10 to 40 %: useful for trainings of minutes."""
    bfloat16: bool = False
    """Whether matrix products of training are in bfloat16; p(z) is predicted in float32."""
    deterministic: bool = True
    """On a GPU: whether only reproducible kernels are used."""


class MixtureByClass(MixtureEnsemble):
    """An ensemble for the classes and one for the redshifts of each; p(z) is summed over classes.

    For samples of stars, galaxies and quasars together, whose classes are known only in training.
    Each of the ensembles has these settings, but that of the classes always has `tanh`.
    """

    program = "sdssflow.regress.by_class"
    needs_classes = True
    kind: Literal["mixture_by_class"]  # type: ignore[assignment]  # another member of the union
    """p(z) as the sum of p(class) p(z | class); needs spec_class to train, not to predict."""


class Network(TorchRegressor):
    """A deep network in torch: initialise, forward, loss, update, repeat until convergence."""

    program = "sdssflow.regress.networks"
    kind: Literal["network"]
    """Fully connected network trained by mini-batches."""
    hidden: list[PositiveInt] = Field(default=[128, 128], min_length=1)
    """Units of the hidden layers."""
    loss: Literal["mse", "mae"] = "mae"
    """Loss on the standardised redshift: mean squared or mean absolute error."""
    learning_rate: PositiveFloat = 6e-3
    """Largest step of the optimiser; it decays to zero along a cosine."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """Decoupled weight decay (AdamW)."""
    batch_size: PositiveInt = 128
    """Objects per step."""
    max_epochs: PositiveInt = 60
    """Maximum number of passes over the training part."""
    patience: PositiveInt = 20
    """Epochs without a better validation loss before training stops."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of weights and features."""


class Committee(TorchRegressor):
    """Small networks from different first weights, whose outputs are averaged (ANNz).

    Collister & Lahav 2004 (PASP 116, 345, arXiv:astro-ph/0311058): two hidden layers of ten sigmoid
    units, quasi-Newton steps on the squared error with weight decay, each network stopped where it
    is best on the validation part. Use `features.groups: [magnitudes]` for their five inputs.
    """

    program = "sdssflow.regress.committees"
    kind: Literal["committee"]
    """Committee of networks."""
    members: PositiveInt = 5
    """Number of networks, a choice of ours."""
    hidden: list[PositiveInt] = Field(default=[10, 10], min_length=1)
    """Units of the hidden layers."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-6
    """Sum of squared weights (without biases) times this is added to the mean squared error of the
    standardised redshift."""
    max_epochs: PositiveInt = 1000
    """Maximum number of quasi-Newton steps (L-BFGS, each on all training objects)."""
    patience: PositiveInt = 100
    """Steps without a better validation loss before a network stops."""


NetworkSettings = GradientDescent | Committee | MixtureEnsemble | MixtureByClass | Network
