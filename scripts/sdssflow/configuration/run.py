"""A run: samples, models, seeds, scores, figures."""

from __future__ import annotations

from pydantic import model_validator

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.classifiers import ClassifierSettings
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.figures import Figures
from sdssflow.configuration.importance import Importance
from sdssflow.configuration.learning import LearningCurves
from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.configuration.regressors import RegressorSettings
from sdssflow.configuration.scores import ClassScores, RedshiftScores
from sdssflow.configuration.section import (
    Different,
    FilePath,
    ModelName,
    Name,
    SampleName,
    Section,
    Seed,
    SomeDifferent,
)
from sdssflow.configuration.targets import BundledModel


class RunConfiguration(Section):
    """`config/config.yaml`: what one run of the workflow does."""

    samples: SomeDifferent[SampleName]
    """Names of the samples, each a file `NAME.yaml` in `sample_folder`."""
    sample_folder: FilePath = "config/samples"
    """Folder of the sample definitions, relative to the working directory."""
    seeds: SomeDifferent[Seed]
    """Every split and every model is made once for each of these seeds."""
    classifiers: dict[ModelName, ClassifierSettings]
    """Classifiers by name."""
    regressors: dict[ModelName, RegressorSettings]
    """Regressors by name."""
    bundles: dict[Name, BundledModel] = {}
    """Trained models that are written to separate folders, to be applied elsewhere."""
    targets: Different[SampleName] = []
    """Names of the targets, objects without spectra to which trained models are applied: each a
    file `NAME.yaml` in `target_folder`."""
    target_folder: FilePath = "config/targets"
    """Folder of the target definitions, relative to the working directory."""
    bootstrap: Bootstrap = Bootstrap()
    """Confidence intervals."""
    redshift_scores: RedshiftScores = RedshiftScores()
    """Conventions of the redshift scores."""
    redshift_pdfs: RedshiftPdfs = RedshiftPdfs()
    """Calibration and summaries of p(z)."""
    class_scores: ClassScores = ClassScores()
    """Conventions of the class scores."""
    importance: Importance = Importance()
    """Which features models use."""
    learning_curves: LearningCurves = LearningCurves()
    """Scores against the number of training objects, for the models named here."""
    figures: Figures = Figures()
    """How figures look."""
    downloads: Downloads = Downloads()
    """How archives are queried."""
    preload: bool = True
    """Whether the jobs of a run on one machine start from a process that has already loaded the
    packages: starting Python takes half of a run. Off on clusters. Nothing here changes a
    result."""

    @model_validator(mode="after")
    def _explained_models_exist(self) -> RunConfiguration:
        known = [*self.classifiers, *self.regressors]
        for name in self.importance.models:
            if name not in known:
                raise ValueError(
                    f"importance.models: there is no classifier or regressor {name!r}; known: "
                    f"{', '.join(dict.fromkeys(known))}"
                )
        return self

    @model_validator(mode="after")
    def _voters_exist(self) -> RunConfiguration:
        for name, settings in self.classifiers.items():
            for member in settings.voters:
                if member not in self.classifiers:
                    raise ValueError(
                        f"classifiers.{name}.members: there is no classifier {member!r}; "
                        f"known: {', '.join(self.classifiers)}"
                    )
                if self.classifiers[member].voters:
                    raise ValueError(f"classifiers.{name}.members: {member!r} is a vote itself")
        return self

    @model_validator(mode="after")
    def _learning_curves_are_of_models_that_train_alone(self) -> RunConfiguration:
        for task, known in (("classifiers", self.classifiers), ("regressors", self.regressors)):
            for name in getattr(self.learning_curves, task):
                key = f"learning_curves.{task}: {name!r}"
                if name not in known:
                    raise ValueError(f"{key} is not defined; known: {', '.join(known)}")
                if known[name].voters:
                    raise ValueError(f"{key} is a vote: name its members")
                if known[name].needs_torch:
                    raise ValueError(f"{key} is trained in torch, on a GPU if any; leave it out")
        return self
