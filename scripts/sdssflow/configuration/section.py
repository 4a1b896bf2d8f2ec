"""The base of every configuration section."""

from __future__ import annotations

import json
from typing import Self

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A block of YAML with known keys only.

    Unknown keys are refused, values are not converted from text, and a section can't be changed
    once read.
    """

    # pydantic could read the attribute docstrings, but would do so at each start of Snakemake;
    # `documents` reads them when it writes the schemas
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

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
