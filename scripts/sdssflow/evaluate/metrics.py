"""The record of a metric, from which score tables, figures, report and docs are generated.

The records are in `class_metrics`, `redshift_metrics`, `paper_metrics` and `pdf_metrics`. A metric
added to one of them is computed, drawn where its record says so, explained in the report's glossary
and listed in docs/metric_conventions.md, which
``python -m sdssflow.configuration.documents`` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"


class Source(NamedTuple):
    """Where the convention of a metric comes from; empty if it is in general use."""

    name: str = ""
    url: str = ""


NO_SOURCE = Source()


@dataclass(frozen=True)
class Metric:
    """One metric in one convention.

    Attributes
    ----------
    name : str
        As in score tables.
    convention : str
        Which definition, where definitions differ. `bound` fills in settings in braces.
    label : str
        Name in table headers.
    better : {'low', 'high', 'zero', ''}
        Which values are better.
    formula, meaning : str
        For the glossary, in the symbols defined there.
    subset : str
        ``all`` or the name of a class.
    term : callable, optional
        Contribution of each object to a metric that is a mean, (n,).
    root : bool
        Whether the metric is the square root of that mean.
    value : callable, optional
        Computes a metric that is not a mean. The modules with the records say what `term` and
        `value` take.
    points : bool
        Whether it is also computed for the mean, median and mode of p(z).
    unit : str
        ``z`` for a redshift; empty for dz / (1 + z) and other ratios.
    source : Source
        Who defined it.
    called, unlike : str
        Who uses it or what a paper calls it; what not to confuse it with.
    fraction : bool
        Whether it is a fraction of the objects; 0 and 1 then have exact intervals.
    interval : bool
        False for a property of the sample, which has no interval.
    per_class : bool
        Whether each class has a value.
    axis : str
        Label in figures; `label` by default.
    nominal : float, optional
        The value of a correct model, drawn as a line.
    headline, drawn, weighted : int
        Position in the summary, in the figure that compares models, in ``covariate_shift.csv``; 0
        if it is not shown there.
    compared, binned, subgroup, across_splits : bool
        Whether differences between models are reported; whether it is computed in bins; whether
        these bins are drawn and on model cards; whether splits are compared by it.
    """

    name: str
    convention: str
    label: str
    better: Literal["low", "high", "zero", ""] = ""
    formula: str = ""
    meaning: str = ""
    subset: str = ALL
    term: Callable[[Any], Any] | None = None
    root: bool = False
    value: Callable[[Any], Any] | None = None
    points: bool = False
    unit: str = ""
    source: Source = NO_SOURCE
    called: str = ""
    unlike: str = ""
    fraction: bool = False
    interval: bool = True
    per_class: bool = False
    axis: str = ""
    nominal: float | None = None
    headline: int = 0
    drawn: int = 0
    weighted: int = 0
    compared: bool = False
    binned: bool = False
    subgroup: bool = False
    across_splits: bool = False

    def bound(self, **settings: float) -> Metric:
        """Return the metric with settings filled into its convention.

        >>> Metric("mape", "eps={epsilon:g}", "MAPE").bound(epsilon=0.001).convention
        'eps=0.001'
        """
        return replace(self, convention=self.convention.format(**settings))

    def terms(self, given: Any) -> Any:
        """Return the contribution of each object; TypeError for a metric that is not a mean."""
        if self.term is None:
            raise TypeError(f"{self.name} is not a mean")
        return self.term(given)

    def computed(self, given: Any) -> Any:
        """Compute a metric that is not a mean; TypeError for one that is."""
        if self.value is None:
            raise TypeError(f"{self.name} is a mean")
        return self.value(given)

    @property
    def key(self) -> dict[str, str]:
        """Columns that identify the metric in a score table."""
        return {"metric": self.name, "convention": self.convention, "subset": self.subset}


def placed(metrics: Iterable[Metric], place: str) -> list[Metric]:
    """Return the metrics shown as `place` ('headline', 'drawn' or 'weighted'), in that order."""
    return sorted(filter(lambda m: getattr(m, place), metrics), key=lambda m: getattr(m, place))


def names(metrics: Iterable[Metric], place: str) -> tuple[str, ...]:
    """Return the names of the metrics with the flag `place`, such as ``compared``, in order."""
    return tuple(dict.fromkeys(metric.name for metric in metrics if getattr(metric, place)))


def axis_labels(metrics: Iterable[Metric]) -> dict[str, str]:
    """Return the axis label of each metric, by name."""
    return {metric.name: metric.axis or metric.label for metric in metrics}


def best_model(scores: pd.DataFrame, metric: str, lowest: bool = True) -> str:
    """Return the model with the lowest or highest value over all seeds and objects in `scores`."""
    rows = scores[(scores["seed"].astype(str) == ALL) & (scores["subset"] == ALL)]
    values = rows[rows["metric"] == metric].set_index("model")["value"].dropna()
    if values.empty:
        raise ValueError(f"no model has a value of {metric} for all seeds and objects")
    return str(values.idxmin() if lowest else values.idxmax())
