"""All regressors on all samples: scores, ranks with paired intervals, and CPU time.

    snakemake --configfile config/across_samples.yaml --until score_redshifts score_pdfs
    PYTHONPATH=scripts python benchmarks/measure_across_samples.py [--configfile FILE]

Reads the scores of the run and prints a Markdown table for each sample. Redshift scores are of each
model's own point estimate; CPU time is that of search, training, calibration and prediction, from
the provenance records. `rank` is by CRPS among models with p(z), in brackets by sigma_NMAD among
all: models share the first rank if the paired 95 % interval of their difference from the best
contains 0. The last table compares the ensemble with the best other model of each sample.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd
import yaml
from markdown_tables import header, row

RESULTS = Path("results")
RULES = ("search_settings", "train_regressor", "train_network", "calibrate_pdfs", "predict_pdfs",
         "predict_redshifts")  # fmt: skip
OF_PDFS = {"crps": 5, "pit_ks": 4}
OF_POINTS = {"sigma_nmad": 5, "rmse": 4, "outlier_0.15": 4}
JUDGE = "ensemble"


def cpu_seconds(sample: str, split: str, model: str) -> float:
    """Return the CPU time of all jobs of a model, over all seeds."""
    records = [
        path
        for rule in RULES
        for path in (RESULTS / "provenance" / rule / sample / split).rglob("*.json")
        if model in (path.stem, path.parent.name)
    ]
    return sum(json.loads(path.read_text())["cpu_seconds"] for path in records)


def values(folder: Path, name: str, metrics: dict[str, int]) -> pd.DataFrame:
    """Return the scores of all seeds combined, models x metrics."""
    frame = pd.read_csv(folder / name)
    frame = frame[(frame["seed"].astype(str) == "all") & (frame["subset"] == "all")]
    frame = frame[~frame["convention"].str.startswith("of the ")]
    return frame[frame["metric"].isin(metrics)].pivot_table(
        index="model", columns="metric", values="value", sort=False
    )


def behind(folder: Path, name: str, metric: str, best: str) -> set[str]:
    """Return the models that are worse than the best by their paired interval."""
    frame = pd.read_csv(folder / name)
    frame = frame[frame["metric"] == metric]
    # differences are the value of `model` minus that of `other`
    worse = frame[(frame["other"] == best) & (frame["lower"] > 0)]["model"]
    others = frame[(frame["model"] == best) & (frame["upper"] < 0)]["other"]
    return {*worse, *others}


def ranks(column: pd.Series, far: set[str]) -> dict[str, str]:
    """Return the rank of each model: 1 for all that are not significantly worse than the best."""
    order = column.dropna().sort_values().index
    return {m: "1" if m not in far else str(rank) for rank, m in enumerate(order, start=1)}


def table(sample: str, split: str) -> tuple[str, ...]:
    """Print the table of one sample and split; return the row about the ensemble."""
    folder = RESULTS / sample / "regress" / split
    pdfs, points = (values(folder, f"{of}scores.csv", metrics)
                    for of, metrics in (("pdf_", OF_PDFS), ("", OF_POINTS)))  # fmt: skip
    scores = points.join(pdfs)
    firsts = {metric: scores[metric].idxmin() for metric in ("crps", "sigma_nmad")}
    by_pdf = ranks(scores["crps"], behind(folder, "pdf_differences.csv", "crps", firsts["crps"]))
    far = behind(folder, "differences.csv", "sigma_nmad", firsts["sigma_nmad"])
    by_point = ranks(scores["sigma_nmad"], far)
    objects = pd.read_csv(folder / "scores.csv").query("metric == 'sigma_nmad'")["n"].max()
    print(f"\n**{sample}**, split {split}, {objects} test objects")
    columns = {**OF_PDFS, **OF_POINTS}
    header("model", *columns, "CPU s", "rank")
    for model, own in scores.sort_values(["crps", "sigma_nmad"]).iterrows():
        cells = ["" if pd.isna(own[m]) else f"{own[m]:.{digits}f}" for m, digits in columns.items()]
        rank = f"{by_pdf.get(model, '')} ({by_point[model]})".strip()
        row(model, *cells, f"{cpu_seconds(sample, split, model):.0f}", rank)
    others = scores["sigma_nmad"].drop(JUDGE)
    against = f"{scores['sigma_nmad'][JUDGE] / others.min() - 1:+.1%}"
    return sample, by_pdf[JUDGE], others.idxmin(), against


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--configfile", default="config/across_samples.yaml")
    run = yaml.safe_load(Path(parser.parse_args().configfile).read_text())
    lines = [
        table(sample, path.parent.name)
        for sample in run["samples"]
        for path in sorted((RESULTS / sample / "regress").glob("*/pdf_scores.csv"))
    ]
    header("sample", f"rank of {JUDGE} by CRPS", "best other by sigma_NMAD", "against it")
    for line in lines:
        row(*line)


if __name__ == "__main__":
    main()
