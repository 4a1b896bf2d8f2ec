"""Compare this project's redshifts with those of template fitting, which is trained on nothing.

    python -m venv DIR && DIR/bin/pip install -r benchmarks/peers/requirements_templates.txt
    snakemake results/mgs/regress/published/scores.csv
    PYTHONPATH=scripts python benchmarks/peers/compare_templates.py mgs published --venv DIR \
        [--ours linear forest ensemble] [--magnitudes model]

`run_templates.py` says which spectra, filters and priors. Ours are the predictions that the
workflow made of the same test objects; the first of `--ours` is the one that all others are
compared with. Magnitudes have to be dereddened and to have errors; they are taken for AB ones,
which those of SDSS are to a few hundredths. Offsets are tried by `--to-ab`: those of Hogg (2002,
sdss-calib/845; `sdssflux2ab` of pydl) are -0.042 0.036 0.015 0.013 -0.002. Prints a Markdown table
with bootstrap intervals; the last column is paired.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from sdssflow.acquire.schema import BANDS
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import RedshiftScores
from sdssflow.evaluate.redshifts import compare_regressors
from sdssflow.evaluate.tables import Predictions, combined_digest, read_predictions
from sdssflow.tables import metadata, read_parquet

HERE = Path(__file__).parent
WORDS = {
    "flat_mean": "templates, flat prior, mean of p(z)",
    "flat_mode": "templates, flat prior, mode",
    "hdfn_mean": "templates, prior of BPZ, mean of p(z)",
    "hdfn_mode": "templates, prior of BPZ, mode",
}
SCORES = ("sigma_nmad", "rms", "bias", "r2", "outlier_0.05")


def rows_of(catalogue: Path, row_ids: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """Return magnitudes and errors of objects; ValueError if they are not dereddened."""
    table = read_parquet(catalogue)
    if not metadata(table.schema)["extinction_applied"]:
        raise ValueError(f"{catalogue}: its magnitudes are not dereddened")
    frame = table.to_pandas().set_index("row_id").loc[row_ids]
    values, errors = (
        frame[[f"{kind}_{word}_{band}" for band in BANDS]].to_numpy(dtype=float)
        for word in ("mag", "mag_err")
    )
    return {"magnitudes": values, "errors": errors}


def fitted(python: Path, rows: dict[str, np.ndarray], ours: Predictions) -> tuple[list, dict]:
    """Run the fits in their environment; return predictions by prior and point, and the notes."""
    with tempfile.TemporaryDirectory() as place:
        given, out = Path(place, "rows.npz"), Path(place, "out.npz")
        np.savez(given, **rows)
        command = [python, HERE / "run_templates.py", given, out]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        subprocess.run(list(map(str, command)), check=True, env=environment)
        with np.load(out) as file:
            points = dict(file)
        told = json.loads(out.with_suffix(".json").read_text())
    made = [
        Predictions(words, ours.frame.assign(zphot=points[name]), ours.test_digests)
        for name, words in WORDS.items()
    ]
    return made, told


def table(predictions: list[Predictions]) -> list[str]:
    """Return the lines of the Markdown table."""
    found = compare_regressors(predictions, RedshiftScores(), Bootstrap())
    scores = found["scores"]
    scores = scores[scores["seed"].astype(str) == "all"].set_index(["model", "metric"])
    differences = found["differences"].set_index(["metric", "model", "other"])
    first = predictions[0].model
    titles = ["redshifts", *SCORES, f"sigma_nmad − {first}"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for one in predictions:
        cells = [one.model, *(_cell(scores.loc[one.model, metric]) for metric in SCORES)]
        more = differences.loc["sigma_nmad", first, one.model] if one.model != first else None
        cells.append("" if more is None else _cell(-more[["value", "upper", "lower"]]))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cell(row) -> str:
    value, *ends = (float(row[name]) for name in ("value", "lower", "upper"))
    low, high = sorted(ends)
    return f"{value:.4f} [{low:.4f}, {high:.4f}]".replace("-", "\N{MINUS SIGN}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sample")
    parser.add_argument("split")
    parser.add_argument("--venv", type=Path, required=True, help="the environment of the fits")
    parser.add_argument("--ours", nargs="+", default=["linear", "forest", "ensemble"])
    parser.add_argument("--magnitudes", default="model")
    parser.add_argument("--to-ab", nargs=5, type=float, default=[0.0] * 5, help="added, ugriz")
    parser.add_argument("--highest", type=float, default=0.5, help="largest redshift of the fits")
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    folder = options.results / options.sample
    paths = [
        folder / "regress" / options.split / model / "predictions.parquet" for model in options.ours
    ]
    ours = read_predictions(paths, options.ours)
    row_ids = ours[0].frame["row_id"].to_numpy()
    rows = rows_of(folder / "clean/catalogue.parquet", row_ids, options.magnitudes)
    rows["magnitudes"] = rows["magnitudes"] + np.array(options.to_ab)
    python = options.venv.absolute() / "bin/python"
    made, told = fitted(python, rows | {"highest": np.array(options.highest)}, ours[0])
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    print(f"- {len(row_ids)} test objects, digest {combined_digest(ours[0].test_digests)}")
    print(f"- {versions}; the fits took {told['cpu_s']:.0f} CPU s")
    print(f"- `python {shlex.join(sys.argv)}`\n")
    print("\n".join(table([*ours, *made])))


if __name__ == "__main__":
    main()
