"""Stacks: the redshift distribution n(z) of tomographic bins, as the sum of p(z).

Weak lensing needs n(z) of tomographic bins, defined by zphot. The requirement is on the error of
the mean redshift (DESC Science Requirements, arXiv:1809.01669; Newman & Gruen 2022,
arXiv:2206.13633). A sum of calibrated p(z) has the right mean, but is not a statistically
consistent estimate of n(z) (Malz 2021, arXiv:2101.04675).

p(z) are given as quantiles: the probability between two of them is spread evenly, and the tails
are placed at the first and last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.evaluate.bootstrap import (
    interval,
    positive_or_nan,
    weighted_sums,
    with_point_estimate,
)
from sdssflow.evaluate.metrics import ALL
from sdssflow.evaluate.pdf_metrics import pdf_columns
from sdssflow.evaluate.tables import Predictions, bin_numbers, counts_by_seed, equal_count_edges
from sdssflow.redshift_pdf.qp_files import read_pdfs
from sdssflow.redshift_pdf.tabulated import bin_masses, variances


@dataclass(frozen=True)
class Stacked:
    """Predictions of a model for all seeds, with `bin_masses` and `variances` of its n p(z)."""

    predictions: Predictions
    masses: np.ndarray
    variances: np.ndarray


def read_quantiles(path: str | Path, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Read ``pdfs.hdf5``; ValueError unless its rows are those of the predictions.

    Returns (q,) float64 levels, ascending between 0 and 1, and the (n, q) float64 quantiles of each
    p(z).
    """
    pdfs, ancil = read_pdfs(path)
    for name in ("row_id", "seed", "fold"):
        if name not in ancil or not np.array_equal(ancil[name], predictions.frame[name].to_numpy()):
            raise ValueError(
                f"{path}: {name} differs from the predictions of {predictions.model}; delete "
                "both, and rule predict_pdfs makes them again"
            )
    # the quantiles 0 and 1 are the ends of the range and say nothing about the tails
    inner = (pdfs.levels > 0) & (pdfs.levels < 1)
    return pdfs.levels[inner], pdfs.redshifts[:, inner]


def read_stacked(path: str | Path, predictions: Predictions, edges: np.ndarray) -> Stacked:
    """Read the p(z) of one model as `bin_masses` and `variances`; see `read_quantiles`."""
    levels, redshifts = read_quantiles(path, predictions)
    masses = bin_masses(levels, redshifts, edges)
    return Stacked(predictions, masses, variances(levels, redshifts))


def stack_edges(zspec: np.ndarray, bins: int) -> np.ndarray:
    """Return (bins + 1,) edges of equal bins from 0, or a negative zspec, to the largest zspec."""
    return np.linspace(min(0.0, zspec.min()), zspec.max(), bins + 1)


def stack_table(
    models: Sequence[Stacked], edges: np.ndarray, settings: RedshiftPdfs
) -> pd.DataFrame:
    """Return ``redshift_stacks.csv``: stacked p(z) and true numbers in bins of redshift.

    The columns are `model, tomographic_bin, zphot_low, zphot_high, z_low, z_high, stacked, true`;
    the last two are numbers of objects, mean over seeds. Tomographic bins have equal numbers of
    objects in the model's own zphot; `edges` are from `stack_edges`.
    """
    parts = []
    for model in models:
        frame = model.predictions.frame
        cuts = equal_count_edges(frame["zphot"].to_numpy(), settings.tomographic_bins)
        number = bin_numbers(frame["zphot"].to_numpy(), cuts)
        zspec, seeds = frame["zspec"].to_numpy(), len(model.predictions.seeds)
        for place in range(len(cuts) - 1):
            inside = number == place
            part = {
                "model": model.predictions.model,
                "tomographic_bin": place + 1,
                "zphot_low": cuts[place],
                "zphot_high": cuts[place + 1],
                "z_low": edges[:-1],
                "z_high": edges[1:],
                "stacked": model.masses[inside].sum(axis=0) / seeds,
                "true": np.histogram(zspec[inside], edges)[0] / seeds,
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def summary_table(
    models: Sequence[Stacked], settings: RedshiftPdfs, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Return ``redshift_stacks_summary.csv``: mean and width of stack and truth in each bin.

    Widths are standard deviations. Differences are stack minus truth for the same objects, with
    bootstrap intervals over groups at fixed bin edges. The last row of a model is for all objects.
    """
    counts = counts_by_seed([model.predictions for model in models], bootstrap)
    rows: list[dict[str, Any]] = []
    for model in models:
        zphot = model.predictions.frame["zphot"].to_numpy()
        cuts = equal_count_edges(zphot, settings.tomographic_bins)
        for place in range(len(cuts)):
            last = place == len(cuts) - 1
            low, high = (cuts[0], cuts[-1]) if last else cuts[place : place + 2]
            moments, n = _mean_moments(model, counts, cuts, None if last else place)
            row = {
                "model": model.predictions.model,
                "tomographic_bin": ALL if last else place + 1,
                "zphot_low": low,
                "zphot_high": high,
                "n": n,
            }
            rows.append(row | _described(moments, bootstrap.level))
    return pd.DataFrame(rows)


def _mean_moments(
    model: Stacked, counts: Mapping[int, np.ndarray], cuts: np.ndarray, place: int | None
) -> tuple[np.ndarray, int]:
    """Return the moments of a tomographic bin, or of all objects, and its mean number of objects.

    The moments are (1 + replicates, 4), averaged over seeds: mean of stack and truth, then widths.
    """
    of_seeds, numbers = [], []
    for seed in model.predictions.seeds:
        columns = pdf_columns(model.predictions, seed)
        inside = np.ones(len(columns["zphot"]), dtype=bool)
        if place is not None:
            inside = bin_numbers(columns["zphot"], cuts) == place
        rows = (model.predictions.frame["seed"] == seed).to_numpy()
        mean, zspec = columns["zphot_mean"], columns["zspec"]
        terms = np.column_stack([mean, model.variances[rows] + mean**2, zspec, zspec**2])
        weights = with_point_estimate(counts[seed][:, inside])
        total = positive_or_nan(weights.sum(axis=1, dtype=np.int64))
        first, square, first_true, square_true = (
            weighted_sums(weights, terms[inside]) / total[:, None]
        ).T
        variances = (square - first**2, square_true - first_true**2)
        widths = (np.sqrt(np.maximum(variance, 0)) for variance in variances)
        of_seeds.append(np.column_stack([first, first_true, *widths]))
        numbers.append(inside.sum())
    return np.mean(of_seeds, axis=0), round(float(np.mean(numbers)))


def _described(moments: np.ndarray, level: float) -> dict[str, float]:
    described: dict[str, float] = {}
    for name, column in (("mean", 0), ("width", 2)):
        stacked, true = moments[:, column], moments[:, column + 1]
        low, high = interval((stacked - true)[1:], level)
        described |= {
            f"{name}_stacked": stacked[0],
            f"{name}_true": true[0],
            f"{name}_difference": stacked[0] - true[0],
            f"{name}_lower": float(low),
            f"{name}_upper": float(high),
        }
    return described
