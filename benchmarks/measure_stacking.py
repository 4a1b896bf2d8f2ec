"""Compare pools of several models' p(z) with the ensemble alone, out-of-fold on mgs.

Run after `make`: `PYTHONPATH=scripts .venv/bin/python benchmarks/measure_stacking.py`. The
development rows of the published split (test rows are not read) are divided into three folds, each
predicted by models trained on the others. Pools are weighted averages of the densities; their
weights are chosen on two folds by mean CRPS and tested on the third. Prints a Markdown table with
paired bootstrap intervals.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from markdown_tables import header, row

from sdssflow.configuration import regressors
from sdssflow.configuration.networks import MixtureEnsemble
from sdssflow.models.folders import fit_regressor
from sdssflow.prepare.parts import read_part
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.scores import pdf_scores
from sdssflow.regress.ensemble_training import fit as train_ensemble
from sdssflow.regress.mixture_networks import predict_pdf

DEVELOPMENT = Path("results/mgs/split/published/1/development.parquet")
FOLDS, SEED, REPLICATES = 3, 1, 1000
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5)
OTHERS = {
    "local_linear": regressors.LocalLinear(kind="local_linear"),
    "forest": regressors.RandomForestRegressor(kind="random_forest"),
}


def rows():
    """Return all development rows as one part."""
    parts = [read_part(DEVELOPMENT, 0, name) for name in ("train", "validation", "calibration")]
    names = ("features", "zspec", "row_id", "reference_mag")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    groups = pa.chunked_array([chunk for part in parts for chunk in part.group_key.chunks])
    return replace(parts[0], **joined, group_key=groups, spec_class=None)


def out_of_fold(part, fold):
    """Return each model's p(z) of the objects of each fold."""
    empty, device = part.subset(slice(0)), torch.device("cpu")
    densities = {"ensemble": [], **{name: [] for name in OTHERS}}
    for number in range(FOLDS):
        learnt, left = part.subset(fold != number), part.subset(fold == number)
        settings = MixtureEnsemble(kind="mixture_ensemble")
        trained = train_ensemble(settings, SEED, learnt, empty, device)
        densities["ensemble"].append(
            predict_pdf(trained.networks, left.features, left.feature_names)
        )
        for name, chosen in OTHERS.items():
            estimator = fit_regressor(chosen, SEED, learnt, empty)
            densities[name].append(estimator.predict_pdf(left.features))
    return densities


def pooled_pdf(pdfs, shares):
    """Return the weighted mean of densities."""
    lower, upper = min(pdf.lower for pdf in pdfs), max(pdf.upper for pdf in pdfs)
    weights = [
        share * pdf.weights / pdf.weights.sum(axis=1, keepdims=True)
        for pdf, share in zip(pdfs, shares, strict=True)
    ]
    means, scales = (np.hstack([getattr(p, name) for p in pdfs]) for name in ("means", "scales"))
    return Mixture(np.hstack(weights), means, scales, lower, upper)


def main():
    part = rows()
    fold = np.random.default_rng(SEED).permutation(len(part)) % FOLDS
    densities = out_of_fold(part, fold)
    zspec = [part.zspec[fold == number] for number in range(FOLDS)]
    combinations = [(1 - a - b, a, b) for a, b in itertools.product(SHARES, SHARES) if a + b <= 0.6]
    scored = {
        shares: [
            pdf_scores(pooled_pdf([pdfs[number] for pdfs in densities.values()], shares), z)["crps"]
            for number, z in enumerate(zspec)
        ]
        for shares in combinations
    }
    alone = scored[combinations[0]]
    crps = {"ensemble": np.concatenate(alone)}
    for name in OTHERS:
        scores = (pdf_scores(pdf, z) for pdf, z in zip(densities[name], zspec, strict=True))
        crps[name] = np.concatenate([score["crps"] for score in scores])
    chosen = []
    for number in range(FOLDS):
        rest = [other for other in range(FOLDS) if other != number]
        chosen.append(
            min(scored, key=lambda s: np.mean(np.concatenate([scored[s][o] for o in rest])))
        )
    crps["pool, weights from the other folds"] = np.concatenate(
        [scored[shares][number] for number, shares in enumerate(chosen)]
    )
    print(f"{len(part)} rows, {FOLDS} folds; shares of {', '.join(densities)} by fold: {chosen}")
    header("p(z)", "CRPS", "minus the ensemble's [95 %]")
    generator = np.random.default_rng(SEED)
    counts = generator.poisson(1.0, (REPLICATES, len(part)))
    for name, values in crps.items():
        difference = values - crps["ensemble"]
        drawn = counts @ difference / counts.sum(axis=1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        interval = f"{difference.mean():+.6f} [{low:+.6f}, {high:+.6f}]"
        row(name, f"{values.mean():.5f}", interval)


if __name__ == "__main__":
    main()
