"""Confidence intervals of every score."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sdssflow.configuration.section import Section, Seed


class Bootstrap(Section):
    """Confidence intervals of every score."""

    replicates: Annotated[int, Field(ge=20)] = 200
    """Number of bootstrap replicates."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Two-sided confidence level."""
    seed: Seed = 1
    """Seed of the draws."""
