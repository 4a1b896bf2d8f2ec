"""p(z) of objects of unknown class: one ensemble for all, ensembles by class, known classes.

    snakemake --configfile config/unknown_classes.yaml --until train_network split_sample
    PYTHONPATH=scripts python benchmarks/measure_unknown_classes.py [--configfile FILE]

Predicts the test objects of the run with its trained models, without recalibration. "Class known"
is the p(z) of the networks of the true class, without stars: the limit of p(z) by class for perfect
classification. Prints a Markdown table for each sample and split, with all seeds combined, for all
objects and for each class: CRPS, sigma_NMAD, the fraction of errors above 0.15, and the mean
difference of the CRPS from that of p(z) by class, with its 95 % interval over objects (an object
that is tested with several seeds counts once).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from markdown_tables import header, row

from sdssflow.evaluate.redshift_metrics import normalised_residual, sigma_nmad
from sdssflow.models.folders import open_folder
from sdssflow.prepare.parts import read_part
from sdssflow.redshift_pdf.scores import pdf_scores
from sdssflow.redshift_pdf.summaries import summarise
from sdssflow.regress.by_class import ByClass
from sdssflow.regress.mixture_networks import predict_pdf

RESULTS = Path("results")
MODELS = {"ensemble": "one ensemble for all", "by_class": "by class"}
KNOWN = "class known"


def predictions(sample: str, split: str, seeds: list[int]) -> Iterator[pd.DataFrame]:
    """Yield CRPS and error of zphot of each test object, method and seed."""
    for seed in seeds:
        test = read_part(RESULTS / sample / "split" / split / str(seed) / "test.parquet", 0, "test")
        about = {"row_id": test.row_id, "class": test.spec_class, "seed": seed}
        for name, method in MODELS.items():
            folder = RESULTS / sample / "regress" / split / name / str(seed)
            model = open_folder(folder).load_model(0)
            pdf = model.predict_pdf(test.features)
            yield judged(pdf, test.zspec, method, about)
            if isinstance(model, ByClass):
                for label, networks in model.redshifts.items():
                    rows = test.spec_class == label
                    pdf = predict_pdf(networks, test.features[rows], test.feature_names)
                    here = {"row_id": test.row_id[rows], "class": label, "seed": seed}
                    yield judged(pdf, test.zspec[rows], KNOWN, here)


def judged(pdf, zspec: np.ndarray, method: str, about: dict) -> pd.DataFrame:
    """Return a table of objects with their CRPS and (zphot - zspec) / (1 + zspec)."""
    error = normalised_residual(zspec, summarise(pdf, "best")["zphot"])
    crps = pdf_scores(pdf, zspec)["crps"]
    return pd.DataFrame({**about, "method": method, "crps": crps, "error": error})


def print_row(found: pd.DataFrame, subset: str, method: str) -> None:
    """Print the row of a method for some of the objects."""
    own = found[found["method"] == method]
    error = own["error"]
    nmad = sigma_nmad(error.to_numpy())
    cells = [subset, method, f"{own['row_id'].nunique():,}", f"{own['crps'].mean():.5f}",
             f"{nmad:.4f}", f"{100 * (error.abs() > 0.15).mean():.2f}"]  # fmt: skip
    other = found[found["method"] == MODELS["by_class"]]
    pairs = own.merge(other, on=["seed", "row_id"], suffixes=("", "_other"))
    difference = (pairs["crps"] - pairs["crps_other"]).groupby(pairs["row_id"]).mean()
    half = 1.96 * difference.std() / np.sqrt(len(difference))
    cells.append("" if method == MODELS["by_class"] else f"{difference.mean():+.5f} ± {half:.5f}")
    row(*cells)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configfile", default="config/unknown_classes.yaml")
    run = yaml.safe_load(Path(parser.parse_args().configfile).read_text())
    for sample in run["samples"]:
        splits = yaml.safe_load(Path(f"config/samples/{sample}.yaml").read_text())["splits"]
        for split in splits:
            found = pd.concat(predictions(sample, split, run["seeds"]))
            print(f"\n{sample}, split {split}, {len(run['seeds'])} seeds")
            header("objects", "method", "n", "CRPS", "NMAD", "> 0.15, %", "CRPS minus by class")
            for method in MODELS.values():
                print_row(found, "all", method)
            for name in np.unique(found["class"]):
                own = found[found["class"] == name]
                for method in own["method"].unique():
                    print_row(own, name, method)


if __name__ == "__main__":
    main()
