"""What each kind of model declares about itself, so that no other module needs to know it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from sdssflow.configuration.section import PositiveFloat, PositiveInt, Section


class ModelSettings(Section):
    """The settings of a model of some `kind`, and what all models of that kind can do.

    Attributes
    ----------
    task : {'classify', 'regress'}
        What it is trained for.
    program : str
        Module that trains it, see below.
    needs_torch : bool
        Whether it is trained in torch, by rule train_network.
    gives_pdf : bool
        Whether it gives p(z), by `predict_pdf`, and not only a point estimate.
    takes_missing : bool
        Whether it accepts objects with missing features.
    needs_classes : bool
        Whether a regressor also learns from the classes: by default only samples with the task
        `classify` train it.
    needs_errors : bool
        Whether it needs magnitude errors among the features: by default only samples that have
        them there train it.

    Notes
    -----
    `sdssflow.models.folders` imports the program by its name; rules that train have it in their
    code digest. It has the function ``fit(settings, seed, train, validation, threads)``:

    settings, seed
        What to train; the seed of every random draw.
    train, validation : Part
        Usable objects (`models.inputs`) to learn from, and for early stopping, which may be none.
    threads : int
        Number of threads; it affects no result.

    which returns a fitted scikit-learn estimator. In torch it is ``fit(settings, seed, train,
    validation, device, checkpoint)``, with the device to train on (`training_devices`) and the path
    of a file from which a killed training is resumed, or None. It returns an object with `save`,
    `history`, `best_epoch` and `dtype`; and ``load(path, settings, names)``, with the names of the
    features, returns an object with `predict` or `predict_pdf`.
    """

    task: ClassVar[str]
    program: ClassVar[str]
    needs_torch: ClassVar[bool] = False
    gives_pdf: ClassVar[bool] = False
    takes_missing: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False
    needs_errors: ClassVar[bool] = False
    kind: str

    @property
    def voters(self) -> list[str]:
        """Names of the trained models that it averages; empty except for a vote."""
        return []

    @classmethod
    def programs(cls) -> tuple[str, str]:
        """Return the names of the modules that define models of this kind, for a code digest."""
        return cls.program, cls.__module__


class EnsembleSettings(ModelSettings):
    """How an ensemble of networks is trained as one batched program in torch."""

    members: PositiveInt = 10
    """Number of networks, each with its own seed, row order and early stopping."""
    hidden: Annotated[list[PositiveInt], Field(min_length=1)] = [32, 32, 32]
    """Units of the hidden layers."""
    learning_rate: PositiveFloat = 1e-2
    """Largest step of the optimiser; it decays to zero along a cosine."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """Decoupled weight decay (AdamW)."""
    max_epochs: PositiveInt = 120
    """Maximum number of passes over the training part."""
    patience: PositiveInt = 40
    """Epochs that are worse than the best by more than their standard error before a member
    stops."""
    blocks: Annotated[int, Field(ge=0)] = 20
    """The train and validation parts together are cut into this many blocks; each member is stopped
    on its own block and learns from the others; 0: all are stopped on the validation part."""
