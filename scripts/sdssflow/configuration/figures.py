"""How figures look."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sdssflow.configuration.section import Different, Section


class Figures(Section):
    """How figures look."""

    format: Literal["png", "svg"] = "png"
    """File format; the report shows these files."""
    also: Different[Literal["png", "svg", "pdf"]] = []
    """Further formats in which each figure is written, besides the first; PDF for papers."""
    dpi: Annotated[int, Field(ge=50, le=600)] = 130
    """Resolution of bitmaps."""

    @model_validator(mode="after")
    def _further_formats_are_others(self) -> Figures:
        if self.format in self.also:
            raise ValueError(f"also: {self.format!r} is already the first format")
        return self
