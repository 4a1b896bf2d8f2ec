"""Scores of the ensemble with its default settings on mgs, for several seeds, on two splits.

Run after `make`: `PYTHONPATH=scripts .venv/bin/python benchmarks/measure_redshifts.py`. For each
seed the split is drawn, the ensemble trained, calibrated as in rule calibrate_pdfs and tested: once
on the published halves, once on a random split of both halves together, where calibration and test
objects are exchangeable. The noise is chosen as in rule search_settings. Prints a Markdown table of
medians and ranges over seeds.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np
import torch
import yaml
from markdown_tables import header, row

from sdssflow.configuration.networks import MixtureEnsemble
from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.splits import HoldoutSplit
from sdssflow.evaluate.redshift_metrics import normalised_residual, r2, sigma_nmad
from sdssflow.prepare.parts import read_part
from sdssflow.prepare.splits import split_sample
from sdssflow.redshift_pdf.pit import pit_ks
from sdssflow.redshift_pdf.scores import pdf_scores
from sdssflow.redshift_pdf.summaries import summarise
from sdssflow.regress.calibrations import calibrate_fold
from sdssflow.regress.ensemble_training import fit as train_ensemble
from sdssflow.regress.mixture_networks import predict_pdf
from sdssflow.regress.settings_search import search_settings
from sdssflow.tables import read_parquet, write_parquet

SEEDS = range(1, 6)
FEATURES = Path("results/mgs/features/features.parquet")
SAMPLE = Path("config/samples/mgs.yaml")
POOLED = HoldoutSplit(kind="holdout", test=0.4, validation=0.05, calibration=0.05)
DIGITS = {"CDE loss": 2, "coverage": 3, "conformal": 3, "PIT": 4, "R2": 4}


def scores(features, split, seed, folder):
    """Train, calibrate and test once; return scores by name."""
    development, test, _ = split_sample(features, split, "measured", seed)
    write_parquet(development, folder / "development.parquet")
    write_parquet(test, folder / "test.parquet")
    train, validation, calibration = (
        read_part(folder / "development.parquet", 0, name)
        for name in ("train", "validation", "calibration")
    )
    objects = read_part(folder / "test.parquet", 0, "test")
    device = torch.device("cpu")
    settings = MixtureEnsemble(kind="mixture_ensemble")
    settings, _ = search_settings(settings, seed, train, validation, device)
    networks = train_ensemble(settings, seed, train, validation, device).networks
    names = objects.feature_names

    def pdf_of(rows):
        return predict_pdf(networks, rows, names)

    chosen = RedshiftPdfs().calibration()
    fitted = calibrate_fold(pdf_of, calibration, train, settings, chosen, seed)
    raw = pdf_of(objects.features)
    pdf, zspec = fitted.recalibrate(raw), objects.zspec
    summary, judged = summarise(pdf, settings.point), pdf_scores(pdf, zspec)
    intervals = summary | fitted.columns(pdf, objects.features, names, objects.reference_mag)
    mean = normalised_residual(zspec, summary["zphot_mean"])
    found = {
        "sigma_NMAD, of the mean": sigma_nmad(mean),
        **{
            f"sigma_NMAD, of the {point}": sigma_nmad(
                normalised_residual(zspec, summary[f"zphot_{point}"])
            )
            for point in ("median", "best")
        },
        "rms": np.sqrt(np.mean(mean**2)),
        "bias": mean.mean(),
        "R2": r2(zspec, summary["zphot_mean"]),
        "CRPS": judged["crps"].mean(),
        "CDE loss": judged["cde"].mean(),
        "PIT KS": pit_ks(judged["pit"]),
        "PIT KS before recalibration": pit_ks(raw.cdf(zspec)),
    }
    for kind, start in (("coverage of central", "z"), ("conformal", "conformal")):
        for level in ("68", "95"):
            low, high = (intervals[f"{start}_{end}_{level}"] for end in ("low", "high"))
            found[f"{kind} {level} %"] = np.mean((zspec >= low) & (zspec <= high))
    return found


def main():
    torch.set_num_threads(1)  # as rule train_network
    features = read_parquet(FEATURES)
    published = Sample.model_validate(yaml.safe_load(SAMPLE.read_text())).splits["published"]
    found = {}
    with tempfile.TemporaryDirectory() as name:
        for title, split in (("published halves", published), ("pooled, random", POOLED)):
            found[title] = [scores(features, split, seed, Path(name)) for seed in SEEDS]
    header(f"score, seeds {SEEDS[0]} to {SEEDS[-1]}", *found)
    for score in next(iter(found.values()))[0]:
        digits = next((d for word, d in DIGITS.items() if word in score), 5)
        cells = []
        for runs in found.values():
            values = [run[score] for run in runs]
            low, middle, high = min(values), statistics.median(values), max(values)
            cells.append(f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
        row(score, *cells)


if __name__ == "__main__":
    main()
