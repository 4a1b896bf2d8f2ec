"""Learning curves: which models are trained on ever more of the training part."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sdssflow.configuration.section import Different, ModelName, Section


class LearningCurves(Section):
    """Scores against the number of training objects; none unless a model is named."""

    classifiers: Different[ModelName] = []
    """Names of the classifiers, no vote."""
    regressors: Different[ModelName] = []
    """Names of the regressors, none that is trained in torch."""
    points: Annotated[int, Field(ge=5, le=30)] = 7
    """Numbers of training objects, evenly spaced in their logarithm up to the whole training
    part."""
    smallest: Annotated[int, Field(ge=20)] = 100
    """Smallest number of training objects."""

    def of_task(self, task: str) -> list[str]:
        """Return the names of the models of a task."""
        return self.classifiers if task == "classify" else self.regressors
