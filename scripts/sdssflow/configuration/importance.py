"""Which features models use: how that is measured, and of which models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sdssflow.configuration.section import Different, ModelName, Section, Seed


class Importance(Section):
    """Permutation importance and partial dependence of models, on test objects."""

    models: Different[ModelName] = []
    """Classifiers and regressors to analyse, for each sample that trains them; a name that both
    have means both. Nothing is trained for it, but each feature needs separate predictions, so only
    named models are analysed."""
    rows: Annotated[int, Field(ge=20)] = 1000
    """Number of test objects drawn for each seed; all if there are fewer."""
    permutations: Annotated[int, Field(ge=1)] = 5
    """Permutations of each feature, whose losses are averaged."""
    strongest: Annotated[int, Field(ge=1, le=8)] = 4
    """Features of each model whose partial dependence is computed, the most important ones."""
    points: Annotated[int, Field(ge=2)] = 15
    """Number of values of each at which it is computed: quantiles of the objects drawn."""
    seed: Seed = 1
    """Seed of the draw of objects and of the permutations."""

    def measured(self) -> Importance:
        """Return the settings without the list of models, which affects no model's result."""
        return self.model_copy(update={"models": []})
