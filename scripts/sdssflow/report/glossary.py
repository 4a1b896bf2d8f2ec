"""Names, meaning and order of the metrics, from the records of `sdssflow.evaluate`.

`conventions_page` generates docs/metric_conventions.md from the same records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

from sdssflow.evaluate import (
    class_decisions,
    class_metrics,
    paper_metrics,
    pdf_metrics,
    redshift_metrics,
)
from sdssflow.evaluate.metrics import Metric, names, placed

BETTER = {"low": "lower is better", "high": "higher is better", "zero": "nearer 0 is better"}
TASKS = {
    "classify": "Classification",
    "regress": "Photometric redshifts",
    "pdf": "Redshift densities p(z)",
}
RANKED_BY = {"classify": "macro_f1", "regress": "sigma_nmad", "pdf": "crps"}
SYMBOLS = (
    "p: predicted probability; y: true class as 0 or 1; N: number of test objects; "
    "δ = (zphot − zspec) / (1 + zspec), the normalised residual; PIT: the probability of p(z) "
    "below zspec; F: cumulative distribution of the PIT of all test objects."
)


def _by_name(records: Sequence[Metric]) -> dict[str, Metric]:
    """Return the first record of each name: headlines first, metrics that don't rank last."""

    def place(metric: Metric) -> tuple[bool, int, bool]:
        return not metric.headline, metric.headline, not metric.better

    found: dict[str, Metric] = {}
    for metric in sorted(records, key=place):
        found.setdefault(metric.name, metric)
    return found


OF_CLASSES = (*class_metrics.METRICS, *class_decisions.SET_METRICS)
CLASSES = _by_name(OF_CLASSES)
REDSHIFTS = _by_name(redshift_metrics.METRICS)
OF_PAPERS = _by_name(paper_metrics.METRICS)
DENSITIES = _by_name(pdf_metrics.DENSITIES)
METRICS: dict[str, Metric] = {**CLASSES, **REDSHIFTS, **DENSITIES}
_KNOWN: dict[str, Metric] = {**CLASSES, **REDSHIFTS, **OF_PAPERS, **DENSITIES}
_OF_TASK = {"classify": CLASSES, "regress": REDSHIFTS, "pdf": DENSITIES}
HEADLINES = {
    task: [metric.name for metric in placed(known.values(), "headline")]
    for task, known in _OF_TASK.items()
}
SUBGROUP_METRICS = {task: names(known.values(), "subgroup") for task, known in _OF_TASK.items()}


def label(metric: str) -> str:
    """Return the label of a metric for table headers; its name if it has no record."""
    return _KNOWN[metric].label if metric in _KNOWN else metric.replace("_", " ")


def direction(metric: str) -> str:
    """Return which values are better; '' for metrics that don't rank, such as those of papers."""
    return METRICS[metric].better if metric in METRICS else ""


def better(metric: str) -> str:
    """Return in words which values are better, or which value it should have; '' if none."""
    nominal = METRICS[metric].nominal if metric in METRICS else None
    return BETTER.get(direction(metric), f"nearer {nominal:g} is better" if nominal else "")


def order(metrics: Iterable[str]) -> list[str]:
    """Sort metrics in the order of the glossary, unknown ones last."""
    places = {name: place for place, name in enumerate(_KNOWN)}
    return sorted(metrics, key=lambda name: places.get(name, len(places)))


_PAGE = (
    (
        """\
# Metric conventions

<!-- Generated from the records in scripts/sdssflow/evaluate/*_metrics.py by
     `PYTHONPATH=scripts python -m sdssflow.configuration.documents`.
     Change the records, not this page. -->

Papers on photometric redshifts use one name for several formulas, so each of our scores has a
name and a convention, and tables state both. ⟨…⟩ in a convention is the value of a setting. The
unit z is that of redshifts; ratios and fractions have none. In the formulas:

"""
        + fill(SYMBOLS.replace("residual;", "residual; Δz = zphot − zspec;"), 100)
        + """

## Redshifts, in every run
""",
        redshift_metrics.METRICS,
    ),
    (
        """\
## Redshifts as papers score them

    redshift_scores: {conventions: [ball2007, sheep2022]}

adds the scores of these papers to `scores.csv` and to the report, for comparison with their numbers
(`config/published/`). Bins and differences between models use only the scores above, and models are
not ranked by these.
""",
        paper_metrics.METRICS,
    ),
    (
        """\
## Redshift densities p(z)

`pdf_scores.csv` also has some redshift scores of the mean, the median and the mode of p(z).
[Photometric redshifts](photometric_redshifts.md) says how p(z) is made.
""",
        pdf_metrics.DENSITIES,
    ),
    (
        """\
## Classes

Means over classes include only classes that occur in the truth. `class_sets.csv` has the scores
of class sets.
""",
        OF_CLASSES,
    ),
)
_END = """\
A metric is one record in `redshift_metrics`, `paper_metrics`, `pdf_metrics`, `class_metrics` or
`class_decisions` of `sdssflow.evaluate`, with its formula as a function and the text of this page.
The score tables, the labels of figures, the glossary of the report and this page are generated from
it. A new paper's name is added to `Convention` of `sdssflow.configuration.scores` as well.
"""
_HEAD = (
    "metric",
    "convention",
    "formula",
    "unit",
    "better",
    "source and use",
    "not to be confused with",
)


def conventions_page() -> str:
    """Return docs/metric_conventions.md."""
    return "\n".join([*(part for text, m in _PAGE for part in (text, _table(m))), _END])


def _table(records: Sequence[Metric]) -> str:
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_row, records)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _row(metric: Metric) -> Iterator[str]:
    convention = re.sub(r"\{(\w+)[^}]*\}", r"⟨\1⟩", metric.convention)
    name, url = metric.source
    source = f"[{name}]({url})" if url else name
    cells = (
        f"`{metric.name}`",
        f"`{convention}`",
        metric.formula,
        metric.unit,
        metric.better,
        "; ".join(filter(None, (source, metric.called))),
        metric.unlike,
    )
    return (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
