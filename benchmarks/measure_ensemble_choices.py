r"""Effect of each choice in an ensemble, on the development rows of a sample.

    snakemake results/boss_dr10/split/published/1/development.parquet \
        --configfile config/across_samples.yaml
    PYTHONPATH=scripts python benchmarks/measure_ensemble_choices.py \
        results/boss_dr10/split/published/1/development.parquet [--rows N] [--only NAMES] [--faint]

Cross-validation on all parts of the file together; it has no test objects. With --faint, models are
trained on the brightest 60 % and tested on the faintest 15 %, like targets deeper than spectra.
Prints, for each change of the default settings (noise 0), the CRPS relative to the first line with
the standard error of the paired difference, sigma_NMAD and rms of each point estimate, and the CPU
time of the training.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from markdown_tables import header, row

from sdssflow.configuration.networks import MixtureEnsemble
from sdssflow.ensembles import photometric_inputs
from sdssflow.evaluate.redshift_metrics import normalised_residual, sigma_nmad
from sdssflow.prepare.parts import Part, read_part
from sdssflow.redshift_pdf.scores import pdf_scores
from sdssflow.redshift_pdf.summaries import POINTS, summarise
from sdssflow.regress.ensemble_training import fit
from sdssflow.regress.mixture_networks import predict_pdf

FOLDS = 3
CHANGES: dict[str, dict[str, Any]] = {
    "noise 0": {},
    "noise 0.25": {"noise": 0.25},
    "noise 0.5": {"noise": 0.5},
    "noise-aware": {"noise_aware": True},
    "inputs standardised, not turned": {"axes": False},
    "axes of equal variance": {"stretch": 0.5},
    "tanh": {"activation": "tanh"},
    "64, 64, 64 units": {"hidden": [64, 64, 64], "learning_rate": 0.005},
    "four layers": {"hidden": [32, 32, 32, 32]},
    "five layers": {"hidden": [32, 32, 32, 32, 32]},
    "5 components": {"components": 5},
    "20 members": {"members": 20},
    "weight decay 0.03": {"weight_decay": 0.03},
    "weight decay 0.3": {"weight_decay": 0.3},
    "60 epochs": {"max_epochs": 60},
    "256 in a step": {"batch_size": 256},
    "1024 in a step": {"batch_size": 1024},
}


def read_rows(path: Path, most: int | None) -> Part:
    """Return rows of all parts, combined."""
    parts = [read_part(path, 0, name) for name in ("train", "validation", "calibration")]
    names = ("features", "zspec", "reference_mag")
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    chosen = np.random.default_rng(1).permutation(len(whole["zspec"]))[:most]
    return some_rows(replace(parts[0], **whole), chosen)


def some_rows(part: Part, rows: np.ndarray) -> Part:
    """Return a part with some of its rows."""
    chosen = {name: getattr(part, name)[rows] for name in ("features", "zspec", "reference_mag")}
    return replace(part, **chosen, row_id=np.arange(len(rows)))


def learnt_and_judged(part: Part, faint: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows that models are trained on, and those that they are tested on."""
    if faint:
        bright, deep = np.quantile(part.reference_mag, [0.6, 0.85])
        rows = np.flatnonzero(part.reference_mag < bright)
        return [(rows, np.flatnonzero(part.reference_mag >= deep))]
    fold = np.arange(len(part)) % FOLDS
    return [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(FOLDS)]


def measure(part: Part, change: dict[str, Any], faint: bool) -> tuple[pd.DataFrame, float]:
    """Return out-of-fold CRPS and point estimates of rows, and CPU seconds."""
    change = {"noise": 0.0, **change}
    changed = {"STRETCH": change.pop("stretch", photometric_inputs.STRETCH)}
    if not change.pop("axes", True):
        changed["principal_axes"] = lambda values: np.eye(values.shape[1])
    settings = MixtureEnsemble(kind="mixture_ensemble", **change)
    made, seconds = [], 0.0
    for learnt, rows in learnt_and_judged(part, faint):
        train = some_rows(part, learnt)
        empty = some_rows(part, np.arange(0))
        started = time.process_time()
        with mock.patch.multiple(photometric_inputs, **changed):
            networks = fit(settings, 1, train, empty, torch.device("cpu")).networks
        seconds += time.process_time() - started
        pdf = predict_pdf(networks, part.features[rows], part.feature_names)
        points = {point: summarise(pdf, "mean")[f"zphot_{point}"] for point in POINTS}
        zspec = part.truth("zspec")[rows]
        crps = pdf_scores(pdf, zspec)["crps"]
        made.append(pd.DataFrame({"row": rows, "zspec": zspec, "crps": crps, **points}))
    return pd.concat(made).sort_values("row"), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("development", type=Path)
    parser.add_argument("--rows", type=int, help="at most, drawn with a fixed seed (default all)")
    parser.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--faint", action="store_true", help="test on fainter objects")
    options = parser.parse_args()
    torch.set_num_threads(1)  # as rule train_network
    part = read_rows(options.development, options.rows)
    print(f"{options.development}: {len(part)} rows, features {', '.join(part.feature_names)}")
    points = [f"{point}: NMAD, rms" for point in POINTS]
    header("change", "CRPS", "against the first, %", *points, "CPU s")
    first = None
    for name in options.only:
        found, seconds = measure(part, CHANGES[name], options.faint)
        first = found if first is None else first
        difference = 100 * (found["crps"] - first["crps"]) / first["crps"].mean()
        error = difference.std() / np.sqrt(len(found))
        zspec = found["zspec"].to_numpy()
        cells = [
            f"{sigma_nmad(normalised_residual(zspec, found[point].to_numpy())):.5f}, "
            f"{np.sqrt(np.mean((found[point] - zspec) ** 2)):.4f}"
            for point in POINTS
        ]
        crps = f"{found['crps'].mean():.5f}", f"{difference.mean():+.2f} ± {error:.2f}"
        row(name, *crps, *cells, f"{seconds:.0f}")


if __name__ == "__main__":
    main()
