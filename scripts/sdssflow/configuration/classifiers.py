"""The classifiers a run can train, with their parameters."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sdssflow.configuration.kinds import EnsembleSettings, ModelSettings
from sdssflow.configuration.section import Different, Name, PositiveFloat, PositiveInt

Calibration = Literal[
    "auto", "none", "temperature", "dirichlet_diagonal", "sigmoid", "dirichlet", "isotonic"
]


class Classifier(ModelSettings):
    """What all classifiers have in common."""

    task = "classify"
    program = "sdssflow.classify.classifiers"

    usual: ClassVar[str] = "temperature"  # the calibration that `auto` has to beat
    calibration: Calibration = "auto"
    """How probabilities are calibrated on the calibration part. `auto` is a temperature (for votes,
    a sigmoid), unless the cross-validated log-loss of another method there is lower by more than
    twice its standard error."""


class DummyClassifier(Classifier):
    """Predicts the class frequencies: a baseline without information."""

    takes_missing = True
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
    usual = "sigmoid"  # a temperature can't correct a vote of 0


class SupportVectors(Classifier):
    """Support vector machine with a Gaussian kernel."""

    kind: Literal["support_vectors"]
    """SVM; its decision values become probabilities by calibration."""
    C: PositiveFloat = 10.0
    """Penalty of a violated margin."""
    gamma: PositiveFloat | None = None
    """Inverse squared width of the kernel; by default 1 / (number of features x variance)."""


class RandomForestClassifier(Classifier):
    """Trees on bootstrap samples.

    The forest of Clarke et al. 2020 (A&A 639, A84): `trees: 200, min_samples_leaf: 1,
    class_weight: balanced, calibration: none`, with the features `magnitudes: psf, groups:
    [magnitudes, resolved]`.
    """

    takes_missing = True
    kind: Literal["random_forest"]
    """Random forest."""
    trees: PositiveInt = 100
    """Number of trees."""
    min_samples_leaf: PositiveInt = 2
    """Fewest objects in a leaf."""
    class_weight: Literal["none", "balanced"] = "none"
    """`balanced`: objects are weighted by the inverse frequency of their class in training."""
    usual = "sigmoid"  # a temperature can't correct a vote of 0


class GradientBoostingClassifier(Classifier):
    """Histogram gradient boosting."""

    takes_missing = True
    kind: Literal["gradient_boosting"]
    """Boosted trees; they accept missing values."""
    iterations: PositiveInt = 100
    """Number of boosting rounds (at most, if there is a validation part to stop on)."""
    learning_rate: PositiveFloat = 0.1
    """Step per round."""
    leaves: Annotated[int, Field(ge=2)] = 31
    """Largest number of leaves of a tree."""
    min_samples_leaf: PositiveInt = 10
    """Fewest objects in a leaf."""


class PhotozBoosting(GradientBoostingClassifier):
    """Boosted trees with a photometric redshift as an additional feature.

    After SHEEP (Cunha & Humphrey 2022, A&A 666, A87). The redshift is predicted from the same
    features by boosted trees of the same size, out of fold on the classifier's training objects.
    """

    program = "sdssflow.classify.photoz_boosting"
    kind: Literal["photoz_boosting"]  # type: ignore[assignment]  # another member of the union
    """Boosted trees with a photometric redshift; needs zspec to train, not to predict."""
    iterations: PositiveInt = 100
    """Number of boosting rounds (the classifier's: at most, if there is a validation part)."""
    folds: Annotated[int, Field(ge=2)] = 5
    """Number of folds of the training part; the redshifts of each come from a regressor trained on
    the others."""


class NeuralNetworkClassifier(Classifier):
    """A small fully connected network (scikit-learn)."""

    kind: Literal["neural_network"]
    """Multi-layer perceptron."""
    hidden: Annotated[list[PositiveInt], Field(min_length=1)] = [64, 64]
    """Units of the hidden layers."""
    members: PositiveInt = 3
    """Number of networks with different initial weights, whose probabilities are averaged."""
    alpha: Annotated[float, Field(ge=0)] = 1e-3
    """Strength of the L2 penalty."""
    learning_rate: PositiveFloat = 5e-3
    """Step of the optimiser (Adam)."""
    max_epochs: PositiveInt = 60
    """Maximum number of passes over the training part."""


class NetworkEnsembleClassifier(EnsembleSettings, Classifier):
    """Networks trained together as one batched program in torch; probabilities are averaged."""

    program = "sdssflow.classify.network_ensembles"
    kind: Literal["network_ensemble"]
    """Ensemble of networks, with the code of the regressor mixture_ensemble."""
    activation: Literal["tanh", "silu"] = "tanh"
    """Nonlinearity between the layers."""


class SoftVote(Classifier):
    """The mean of other classifiers' probabilities."""

    takes_missing = True  # if its voters do
    kind: Literal["soft_vote"]
    """Average of the members' probabilities."""
    members: Different[Name] = Field(min_length=2)
    """Names of the classifiers that vote."""

    @property
    def voters(self) -> list[str]:
        """Names of the classifiers whose probabilities it averages."""
        return self.members


ClassifierSettings = Annotated[
    DummyClassifier
    | LogisticRegression
    | NearestNeighbours
    | SupportVectors
    | RandomForestClassifier
    | GradientBoostingClassifier
    | PhotozBoosting
    | NeuralNetworkClassifier
    | NetworkEnsembleClassifier
    | SoftVote,
    Field(discriminator="kind"),
]
