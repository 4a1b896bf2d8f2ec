"""The base of every configuration section."""

from __future__ import annotations

import json
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A block of YAML with known keys only.

    Unknown keys are refused, values are not converted from text or from another type (a number is
    no truth value, 1.0 no whole number), numbers are finite, what has a minimum and a maximum has
    room between them, and a section can't be changed once read.
    """

    # pydantic could read the attribute docstrings, but would do so at each start of Snakemake;
    # `documents` reads them when it writes the schemas
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        low, high = getattr(self, "minimum", None), getattr(self, "maximum", None)
        if low is not None and high is not None and low >= high:
            raise ValueError(f"minimum {low:g} is not below maximum {high:g}")
        return self

    def canonical(self) -> str:
        """Return the section as JSON with sorted keys: what rules pass on as one parameter.

        Snakemake compares parameters as they stand; a dict whose keys moved would rerun a rule,
        this text would not.
        """
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @classmethod
    def from_canonical(cls, text: str) -> Self:
        """Read back what `canonical` wrote."""
        return cls.model_validate_json(text)
