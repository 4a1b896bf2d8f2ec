"""Where the best model of a task fails, in sentences made from its scores."""

from __future__ import annotations

import pandas as pd

from sdssflow.report.glossary import HEADLINES, METRICS, label
from sdssflow.report.pivots import overall
from sdssflow.report.tables import plain, with_interval

VARIABLES = {
    "reference_mag": "magnitudes",
    "zphot": "predicted redshifts",
}  # bins of the truth are left out: nobody knows it of a new object


def gain(scores: pd.DataFrame, best: str, baseline: str, metric: str) -> str:
    """Say what the best model has over one that looks at no feature; '' if it is that one."""
    values = _values(overall(scores), metric)
    if best == baseline or not {best, baseline} <= set(values.index):
        return ""
    mine, other = (_with_interval(values.loc[model]) for model in (best, baseline))
    guess = f"with {baseline}, which looks at no feature, {other}."
    return f"With {best}, {label(metric)} is {mine}; {guess}"


def worst_bins(scores: pd.DataFrame, by_bin: pd.DataFrame, best: str, metric: str) -> list[str]:
    """Say in which bin of each variable a model is worst, and how it is over all.

    A metric that means the same in every bin is wanted: a mean over classes drops where a class is
    missing.
    """
    whole = _values(overall(scores), metric)
    rows = by_bin[
        (by_bin["model"] == best)
        & (by_bin["seed"] == "all")
        & (by_bin["subset"] == "all")
        & (by_bin["metric"] == metric)
        & by_bin["value"].notna()
    ]
    sentences = []
    for variable, words in VARIABLES.items():
        group = rows[rows["variable"] == variable]
        if len(group) < 2 or best not in whole.index:
            continue
        low = METRICS[metric].better == "low"
        row = group.loc[group["value"].idxmax() if low else group["value"].idxmin()]
        sentences.append(
            f"Among {words}, {best} is worst from {plain(row['bin_low'])} to "
            f"{plain(row['bin_high'])}: {label(metric)} is {_with_interval(row)} there, "
            f"{_with_interval(whole.loc[best])} over all."
        )
    return sentences


def outliers(scores: pd.DataFrame, best: str) -> list[str]:
    """Say how many objects a regressor misses by more than the limits of papers."""
    rows = overall(scores)
    sentences = []
    for metric in (name for name in HEADLINES["regress"] if METRICS[name].fraction):
        limit = metric.removeprefix("outlier_")
        values = _values(rows, metric)
        if best in values.index:
            row = values.loc[best]
            count = round(float(row["value"]) * float(row["n"]))
            sentences.append(
                f"{count:,} of {int(row['n']):,} test objects have a normalised residual beyond "
                f"{limit} ({100 * float(row['value']):.2g} %)."
            )
    return sentences


def weakest_class(scores: pd.DataFrame, best: str) -> list[str]:
    """Say which class a classifier finds least of."""
    rows = scores[
        (scores["seed"] == "all")
        & (scores["subset"] != "all")
        & (scores["metric"] == "recall")
        & (scores["model"] == best)
        & scores["value"].notna()
    ]
    if rows.empty:
        return []
    row = rows.loc[rows["value"].idxmin()]
    return [
        f"Of the {int(row['n']):,} test objects of class {row['subset']}, {best} finds the "
        f"smallest part: completeness {_with_interval(row)}."
    ]


def commonest_mistake(confusion: pd.DataFrame, best: str) -> list[str]:
    """Say which class a classifier most often takes for which other."""
    rows = confusion[confusion["model"] == best]
    if "seed" in rows and (rows["seed"] == "all").any():
        rows = rows[rows["seed"] == "all"]
    totals = rows.groupby("truth")["count"].sum()
    wrong = rows[(rows["truth"] != rows["predicted"]) & (rows["count"] > 0)]
    if wrong.empty:
        return []
    row = wrong.loc[wrong["count"].idxmax()]
    return [
        f"Its commonest mistake is to take {row['truth']} for {row['predicted']}: "
        f"{plain(row['count'])} of {plain(totals[row['truth']])}."
    ]


def _values(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    chosen = rows[(rows["metric"] == metric) & rows["value"].notna()]
    return chosen.drop_duplicates("model").set_index("model")


def _with_interval(row: pd.Series) -> str:
    value, interval = with_interval(row["value"], row["lower"], row["upper"])
    return f"{value} {interval}".strip()
