"""The classifiers and regressors a run can train, with their parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sdssflow.configuration.section import Section

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
PointEstimate = Literal["mean", "median", "mode"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Classifier(Section):
    """What all classifiers have in common."""

    calibration: Literal["temperature", "sigmoid", "isotonic", "none"] = "temperature"
    """How probabilities are calibrated on the calibration part."""


class DummyClassifier(Classifier):
    """Predicts the class frequencies: what knowing nothing gives."""

    kind: Literal["dummy"]
    """Class frequencies of the training part."""
    calibration: Literal["none"] = "none"
    """Nothing to calibrate."""


class LogisticRegression(Classifier):
    """Multinomial logistic regression on standardised features."""

    kind: Literal["logistic_regression"]
    """Linear decision boundaries."""
    C: PositiveFloat = 1.0
    """Inverse strength of the L2 penalty."""
    degree: Annotated[int, Field(ge=1, le=3)] = 1
    """Polynomial degree of the features."""


class NearestNeighbours(Classifier):
    """Votes of the nearest neighbours in standardised feature space."""

    kind: Literal["nearest_neighbours"]
    """k nearest neighbours."""
    neighbours: PositiveInt = 10
    """How many neighbours vote."""
    calibration: Literal["temperature", "sigmoid", "isotonic", "none"] = "sigmoid"
    """How probabilities are calibrated. A temperature can't mend a vote of 0."""


class SupportVectors(Classifier):
    """Support vector machine with a Gaussian kernel."""

    kind: Literal["support_vectors"]
    """SVM; its decision values become probabilities by calibration."""
    C: PositiveFloat = 10.0
    """Penalty of a violated margin."""
    gamma: PositiveFloat | None = None
    """Inverse squared width of the kernel; by default 1 / (number of features x variance)."""


class RandomForestClassifier(Classifier):
    """Trees on bootstrap samples."""

    kind: Literal["random_forest"]
    """Random forest."""
    trees: PositiveInt = 100
    """Number of trees."""
    min_samples_leaf: PositiveInt = 2
    """Fewest objects in a leaf."""
    calibration: Literal["temperature", "sigmoid", "isotonic", "none"] = "sigmoid"
    """How probabilities are calibrated. A temperature can't mend a vote of 0."""


class GradientBoostingClassifier(Classifier):
    """Histogram gradient boosting."""

    kind: Literal["gradient_boosting"]
    """Boosted trees; they take missing values as they are."""
    iterations: PositiveInt = 100
    """Number of boosting rounds (at most, if there is a validation part to stop on)."""
    learning_rate: PositiveFloat = 0.1
    """Step per round."""
    leaves: Annotated[int, Field(ge=2)] = 31
    """Largest number of leaves of a tree."""
    min_samples_leaf: PositiveInt = 10
    """Fewest objects in a leaf."""


class NeuralNetworkClassifier(Classifier):
    """A small fully connected network (scikit-learn)."""

    kind: Literal["neural_network"]
    """Multi-layer perceptron."""
    hidden: list[PositiveInt] = [64, 64]
    """Units of the hidden layers."""
    members: PositiveInt = 3
    """Networks from different starts whose probabilities are averaged."""
    alpha: Annotated[float, Field(ge=0)] = 1e-3
    """Strength of the L2 penalty."""
    learning_rate: PositiveFloat = 5e-3
    """Step of the optimiser (Adam)."""
    max_epochs: PositiveInt = 60
    """Most passes over the training part."""


class SoftVote(Classifier):
    """The mean of other classifiers' probabilities."""

    kind: Literal["soft_vote"]
    """Average of the members' probabilities."""
    members: list[Name] = Field(min_length=2)
    """Names of the classifiers that vote."""


ClassifierSettings = Annotated[
    DummyClassifier
    | LogisticRegression
    | NearestNeighbours
    | SupportVectors
    | RandomForestClassifier
    | GradientBoostingClassifier
    | NeuralNetworkClassifier
    | SoftVote,
    Field(discriminator="kind"),
]


class MeanRegressor(Section):
    """Predicts the mean redshift: what knowing nothing gives."""

    kind: Literal["mean"]
    """Mean redshift of the training part."""


class LinearRegression(Section):
    """Ordinary least squares in closed form: the lecture's baseline."""

    kind: Literal["linear"]
    """Linear regression by the normal equations."""


class PolynomialRegression(Section):
    """Least squares on all products of standardised features up to a degree."""

    kind: Literal["polynomial"]
    """Polynomial regression."""
    degree: Annotated[int, Field(ge=2, le=4)] = 2
    """Highest total degree."""
    alpha: Annotated[float, Field(ge=0)] = 10.0
    """Ridge penalty."""


class RandomForestRegressor(Section):
    """Trees on bootstrap samples."""

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


class GradientBoostingRegressor(Section):
    """Histogram gradient boosting with squared loss."""

    kind: Literal["gradient_boosting"]
    """Boosted trees; they take missing values as they are."""
    iterations: PositiveInt = 300
    """Number of boosting rounds (at most, if there is a validation part to stop on)."""
    learning_rate: PositiveFloat = 0.06
    """Step per round."""
    leaves: Annotated[int, Field(ge=2)] = 31
    """Largest number of leaves of a tree."""
    min_samples_leaf: PositiveInt = 20
    """Fewest objects in a leaf."""


class LocalLinear(Section):
    """A linear fit to each object's nearest neighbours (Beck et al. 2016)."""

    kind: Literal["local_linear"]
    """Local linear regression."""
    neighbours: Annotated[int, Field(ge=10)] = 100
    """How many neighbours are fitted."""
    point: PointEstimate = "mean"
    """Summary of p(z) that is zphot: one Gaussian, so all are equal but for the cut at z = 0."""


class GradientDescent(Section):
    """The linear regression once more, by gradient descent in torch: the lecture's second way."""

    kind: Literal["gradient_descent"]
    """Linear regression by gradient descent; agrees with `linear`."""
    learning_rate: PositiveFloat = 0.1
    """Step along the negative gradient."""
    tolerance: PositiveFloat = 1e-10
    """Stop when no component of the gradient is larger."""
    max_steps: PositiveInt = 100_000
    """Most steps."""


class SettingsSearch(Section):
    """Search for the settings of an ensemble by successive halving, on the validation part.

    The first candidate is the ensemble as configured; the others are drawn from all combinations
    of the lists, of which an empty one keeps the configured value.
    """

    hidden: list[list[PositiveInt]] = []
    """Units of the hidden layers to try."""
    components: list[PositiveInt] = []
    """Numbers of components to try."""
    learning_rate: list[PositiveFloat] = []
    """Learning rates to try."""
    weight_decay: list[Annotated[float, Field(ge=0)]] = []
    """Weight decays to try."""
    noise: list[Annotated[float, Field(ge=0)]] = []
    """Strengths of the photometric noise to try."""
    candidates: Annotated[int, Field(ge=2)] = 6
    """Candidates of the first round."""
    reduction: Annotated[int, Field(ge=2)] = 2
    """Only the best candidates / reduction go on, with reduction times the epochs."""
    first_epochs: PositiveInt = 20
    """Epochs of the first round; the last one has at most the ensemble's own."""
    members: PositiveInt = 3
    """Members of each candidate."""


class MixtureEnsemble(Section):
    """Mixture-density networks trained together as one batched program; their p(z) is averaged."""

    kind: Literal["mixture_ensemble"]
    """Ensemble of mixture-density networks (Bishop 1994)."""
    members: PositiveInt = 10
    """Number of networks, each with its own seed, order of the rows and early stopping."""
    hidden: list[PositiveInt] = Field(default=[32, 32, 32], min_length=1)
    """Units of the hidden layers."""
    activation: Literal["tanh", "silu"] = "tanh"
    """Nonlinearity between the layers."""
    components: PositiveInt = 3
    """Gaussian components of each member's p(z)."""
    learning_rate: PositiveFloat = 1e-2
    """Largest step of the optimiser; it decays to zero along a cosine."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """Decoupled weight decay (AdamW)."""
    batch_size: PositiveInt = 256
    """Objects per step and member."""
    max_epochs: PositiveInt = 120
    """Most passes over the training part."""
    patience: PositiveInt = 40
    """Epochs that are worse than the best by more than their standard error before a member
    stops."""
    blocks: Annotated[int, Field(ge=0)] = 20
    """Train and validation part together are cut in this many blocks, and each member is stopped
    on a block of its own and learns from the others; 0: all are stopped on the validation part."""
    noise: Annotated[float, Field(ge=0)] = 0.5
    """Photometric noise that is added anew in each epoch, in units of the magnitude errors; needs
    the feature group `magnitude_errors`."""
    hide_bands: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """How many of its bands a training object has hidden in an epoch, on average, so that the
    networks learn to do without. With 0, only what is missing in training may be missing later."""
    noise_aware: bool = False
    """Whether the variance of each component has a learnt term for each magnitude error."""
    point: PointEstimate = "mean"
    """Summary of p(z) that is zphot."""
    checkpoint_epochs: PositiveInt = 20
    """Epochs between checkpoints that a killed training resumes from."""
    search: SettingsSearch | None = None
    """Search for better settings on the sample itself; without it they stay as they are."""
    compiled: bool = True
    """On a GPU: whether the loss is compiled to few kernels."""
    bfloat16: bool = False
    """Whether matrix products of training are in bfloat16; p(z) is predicted in float32."""
    deterministic: bool = True
    """On a GPU: whether only reproducible kernels are used."""


class Network(Section):
    """A deep network in torch: initialise, forward, loss, update, repeat till convergence."""

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
    """Most passes over the training part."""
    patience: PositiveInt = 20
    """Epochs without a better validation loss before training stops."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of weights and features."""


RegressorSettings = Annotated[
    MeanRegressor
    | LinearRegression
    | PolynomialRegression
    | RandomForestRegressor
    | GradientBoostingRegressor
    | LocalLinear
    | GradientDescent
    | MixtureEnsemble
    | Network,
    Field(discriminator="kind"),
]
TORCH_KINDS = ("gradient_descent", "mixture_ensemble", "network")
PDF_KINDS = ("local_linear", "mixture_ensemble", "random_forest")  # they give a p(z)
