"""Confidence intervals of every score."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from sdssflow.configuration.section import Section, Seed


class Bootstrap(Section):
    """Confidence intervals of every score."""

    replicates: Annotated[int, Field(ge=20)] = 200
    """Number of bootstrap replicates."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Two-sided confidence level; needs 1 / (1 - level) replicates at least, 100 for 0.99."""
    seed: Seed = 1
    """Seed of the draws."""

    @model_validator(mode="after")
    def _replicates_reach_the_level(self) -> Bootstrap:
        needed = math.ceil(round(1 / (1 - self.level), 6))
        if self.replicates < needed:
            raise ValueError(f"replicates: level {self.level:g} needs at least {needed}")
        return self
