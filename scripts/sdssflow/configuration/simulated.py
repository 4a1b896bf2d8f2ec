"""The sky that a stand-in serves in place of an archive."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from sdssflow.configuration.section import Section, Seed


class SimulatedSky(Section):
    """A sky made by forward modelling, for runs without a network: docs/simulated_sky.md."""

    objects: Annotated[int, Field(ge=640)]
    """How many spectra it holds, at least a plate's; with `rows: photometry`, how many objects."""
    seed: Seed = 1
    """Seed of the draws."""
    # left out where it says what was always so, as `rows` is
    oddities: Annotated[int, Field(ge=0)] = Field(default=0, exclude_if=lambda n: n == 0)
    """How many objects with a spectrum are made odd; which, no model is told. At most half."""

    @model_validator(mode="after")
    def _most_are_not_odd(self) -> SimulatedSky:
        if 2 * self.oddities > self.objects:
            raise ValueError(f"oddities: {self.oddities} are more than half of the objects")
        return self
