"""Compare our numbers with published ones.

With `theirs`, its standard error `e` (0 where none was published), the tolerance `t` of the
comparison and our bootstrap interval [low, high]:

==================  ==============================================================================
verdict             when
==================  ==============================================================================
``reproduced``      all of [low, high] lies within `theirs` ± (t + 2 e)
``differs``         none of it does
``undecided``       part of it does: more test objects or another tolerance would decide
``not comparable``  the entry says so and gives the reason
``not run``         this run has no such number; the reason says how to get it
==================  ==============================================================================

Objects that are weighted to the distribution of a paper's (`selections`) are still not the paper's
objects: the first three verdicts are then ``compatible within`` the tolerance, ``not compatible``
and ``compatibility undecided``.

An imprecise number therefore reproduces nothing, however close it is (as in equivalence tests by
two one-sided tests, Schuirmann 1987), and a wider tolerance can only turn `differs` into
`undecided` and `undecided` into `reproduced`. A curve is compared bin by bin; if it was read off a
figure, `e` is the reading error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

import pandas as pd

from sdssflow.configuration.published import Closing, Comparison, PublishedNumber

REPRODUCED, DIFFERS, UNDECIDED = "reproduced", "differs", "undecided"
NOT_COMPARABLE, NOT_RUN = "not comparable", "not run"
COMPATIBLE, INCOMPATIBLE = "compatible within", "not compatible"
PERHAPS_COMPATIBLE = "compatibility undecided"
OF_WEIGHTED = {REPRODUCED: COMPATIBLE, DIFFERS: INCOMPATIBLE, UNDECIDED: PERHAPS_COMPATIBLE}
VERDICTS = (REPRODUCED, DIFFERS, UNDECIDED, *OF_WEIGHTED.values(), NOT_COMPARABLE, NOT_RUN)
STANDARD_ERRORS = 2  # of theirs: about 95 %, as our intervals
ALL_SEEDS = "all"
COLUMNS = [
    "entry", "citation", "metric", "convention", "subset", "zspec_low", "zspec_high", "theirs",
    "uncertainty",
    "sample", "split", "model", "ours", "ours_low", "ours_high", "difference", "tolerance",
    "verdict", "because", "weighted_to", "effective_n", "gaps", "closed_by", "digest",
]  # fmt: skip
Tables = Mapping[tuple[str, str, str], pd.DataFrame]
# value, ends of the interval, digest of the test rows and, if weighted, the effective number; or
# why there is no value
Ours = tuple[float, float, float, str] | tuple[float, float, float, str, float] | str
Place = tuple[str, str, str, str]
Curves = Mapping[Place, list[Ours]]


class Refused(str):
    """Why our objects can't represent those of a paper."""


def agreement(
    theirs: float, uncertainty: float | None, low: float, high: float, tolerance: float
) -> str:
    """Return the verdict on our interval [low, high] and a number with its uncertainty, if known.

    >>> [agreement(0.0207, 0.0001, *ours, 0.001) for ours in
    ...  ((0.0201, 0.0205), (0.0180, 0.0205), (0.0160, 0.0170))]
    ['reproduced', 'undecided', 'differs']
    """
    margin = tolerance + STANDARD_ERRORS * (uncertainty or 0.0)
    lowest, highest = theirs - margin, theirs + margin
    if lowest <= low and high <= highest:
        return REPRODUCED
    return DIFFERS if high < lowest or highest < low else UNDECIDED


def check_numbers(
    numbers: Mapping[str, PublishedNumber],
    tables: Tables,
    reasons: Mapping[str, str],
    curves: Curves,
    weighted: Mapping[Place, Ours],
) -> pd.DataFrame:
    """Return `published.csv`: each comparison of each entry, by name, with its verdict.

    Parameters
    ----------
    numbers : mapping of name to PublishedNumber
        The entries.
    tables : mapping of (sample, task, split) to pandas.DataFrame
        The score tables of this run, as docs/architecture.md lists their columns.
    reasons : mapping of str to str
        From `reasons_not_run`: why this run lacks a sample or has another one of that name, and
        how a model, by task and name, differs.
    curves : mapping of (entry, sample, split, model) to list
        Our values in the bins of a curve, from `selections.binned_scores`.
    weighted : mapping of (entry, sample, split, model) to tuple or Refused
        Our values for objects weighted to a paper's selection, from `selections.weighted_scores`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; `difference` is ours minus theirs, missing if there is no value of ours. A curve
        has a row for each bin.
    """
    rows: list[dict[str, object]] = []
    for name in sorted(numbers):
        number = numbers[name]
        for each in number.comparisons:
            place = name, *each.place
            other = each.sample in reasons  # no such sample, or another of that name
            found: list[tuple[tuple[float, float], float, Ours]]
            if number.value is None:
                found = list(_of_curve(number, each, None if other else curves.get(place), reasons))
            else:
                if each.selection:
                    ours = (not other and weighted.get(place)) or _why_not(each, reasons)
                else:
                    ours = _ours(number, each, tables, reasons)
                found = [((math.nan, math.nan), number.value, ours)]
            about = _gaps(number, reasons)
            because = "; ".join(
                filter(None, [each.because, reasons.get(f"{number.task}/{each.model}")])
            )
            each = each.model_copy(update={"because": because})
            rows += [_row(name, number, each, *its) | about for its in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_curve(
    number: PublishedNumber,
    comparison: Comparison,
    found: list[Ours] | None,
    reasons: Mapping[str, str],
) -> Iterator[tuple[tuple[float, float], float, Ours]]:
    """Yield the ends of each bin, the published number and ours."""
    assert number.curve is not None
    bins = list(pairwise(number.curve.edges))
    if found is None:
        found = [_why_not(comparison, reasons)] * len(bins)
    yield from zip(bins, number.curve.values, found, strict=True)


def _why_not(comparison: Comparison, reasons: Mapping[str, str]) -> str:
    """Return why this run has no predictions to compare with."""
    sample, split, model = comparison.place
    return reasons.get(sample, f"this run has no {model!r} on split {split!r} of {sample}")


def _gaps(number: PublishedNumber, reasons: Mapping[str, str]) -> dict[str, str]:
    """Return the differences between our rows and those of a number, and what would close them."""
    closing = []
    for gap in number.gaps:
        words = [_closing(by, reasons) for by in gap.closed_by] or ["nothing known to us"]
        closing.append(f"{gap.of}: {' or '.join(words)}")
    return {
        "gaps": "; ".join(f"{gap.of}: {gap.what}" for gap in number.gaps),
        "closed_by": "; ".join(closing),
    }


def _closing(by: Closing, reasons: Mapping[str, str]) -> str:
    if by.sample:
        return f"sample {by.sample} ({reasons.get(by.sample, 'in this run')})"
    return f"models of kind {by.model}" if by.model else f"{by.address}"


def _row(
    name: str,
    number: PublishedNumber,
    comparison: Comparison,
    bin_ends: tuple[float, float],
    theirs: float,
    ours: Ours,
) -> dict[str, object]:
    uncertainty = number.uncertainty or number.verified.reading_error
    row: dict[str, object] = {
        "entry": name,
        "citation": number.citation.short,
        "metric": number.metric,
        "convention": number.convention,
        "subset": number.subset,
        "zspec_low": bin_ends[0],
        "zspec_high": bin_ends[1],
        "theirs": theirs,
        "uncertainty": uncertainty,
        "sample": comparison.sample,
        "split": comparison.split,
        "model": comparison.model,
        "tolerance": comparison.tolerance,
        "because": comparison.because,
    }
    if comparison.selection:
        row["weighted_to"] = comparison.selection.described
    comparable = comparison.tolerance is not None
    if isinstance(ours, str):
        if not comparable:
            return row | {"verdict": NOT_COMPARABLE}
        if isinstance(ours, Refused):
            return row | {"verdict": NOT_COMPARABLE, "because": ours}
        return row | {"verdict": NOT_RUN, "because": ours}
    value, low, high, digest, *effective = ours
    verdict = NOT_COMPARABLE
    if comparison.tolerance is not None:
        verdict = agreement(theirs, uncertainty, low, high, comparison.tolerance)
    if effective:
        verdict, row["effective_n"] = OF_WEIGHTED[verdict], *effective
    return row | {
        "ours": value,
        "ours_low": low,
        "ours_high": high,
        "difference": value - theirs,
        "verdict": verdict,
        "digest": digest,
    }


def _ours(
    number: PublishedNumber, comparison: Comparison, tables: Tables, reasons: Mapping[str, str]
) -> Ours:
    """Return our value, its interval and the digest of the test rows, or why there is none."""
    sample, split, model = comparison.sample, comparison.split, comparison.model
    if sample in reasons:
        return reasons[sample]
    table = tables.get((sample, number.task, split))
    if table is None:
        return f"this run has no split {split!r} of {sample} for the task {number.task}"
    table = table[table["seed"].astype(str) == ALL_SEEDS]
    table = table[table["model"] == model]
    if table.empty:
        return f"this run trains no {model!r} on {sample}"
    named = (table["metric"] == number.metric) & (table["convention"] == number.convention)
    table = table[named & (table["subset"] == number.subset)]
    if table.empty:
        return f"the scores of {sample} have no {number.metric!r} ({number.convention})"
    found = table.iloc[0]
    value = float(found["value"])
    if math.isnan(value):
        return f"{number.metric!r} ({number.convention}) is undefined on {sample}"
    low, high = float(found["lower"]), float(found["upper"])
    if math.isnan(low + high):
        return f"{number.metric!r} ({number.convention}) has no interval on {sample}"
    return value, low, high, str(found["data_digest"])
