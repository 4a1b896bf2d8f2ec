"""What is known of a figure or table that the report shows, in one record.

Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sdssflow.configuration.run import RunConfiguration


class Shown(NamedTuple):
    """One figure or table that the report shows of a sample, a split, a seed, a model or a target.

    Attributes
    ----------
    path : str
        Below the results of its sample or target, with ``{split}``, ``{seed}`` and ``{model}``; a
        figure's path has no suffix.
    title, caption : str
        What stands above and below it.
    name : str
        Name within its stage, '' if that is the file's. A table whose figure has the same name
        ends in ``_table``.
    columns : str
        What Snakemake's report, which shows the file itself, adds about its columns.
    telling : int
        The index shows a sample or target by that one of its figures whose number is highest; 0:
        never.
    asked : callable
        Whether a sample of a run, or a target with what is applied to it, has it.
    """

    path: str
    title: str
    caption: str
    name: str = ""
    columns: str = ""
    telling: int = 0
    asked: Callable[[RunConfiguration, Any], bool] = lambda run, its: True

    @property
    def label(self) -> str:
        """Name within its stage."""
        return self.name or self.path.rpartition("/")[2].partition(".")[0]

    @property
    def is_figure(self) -> bool:
        """Whether it is drawn."""
        return "." not in self.path
