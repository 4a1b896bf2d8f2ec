"""Compare the simulated sky with real SDSS rows: fractions, quantiles, KS distances, classifiers.

    PYTHONPATH=scripts python benchmarks/measure_realism.py [DATA] [--objects N] [--seed SEED]

DATA is the folder with the development rows (default ``../shared/data``, relative to the
repository), which are not part of the project. The simulated rows have the same cuts as the real
ones:

======= ============================ ==========================================================
sample  file                         cuts
======= ============================ ==========================================================
bright  sdss_dr14_10k.csv.gz         u < 19.6, g < 20
spec    sdss_galaxy_colors_50k.csv.gz every band < 20; galaxies and quasars only
all     sdss_dr17_55k.csv.gz         none
======= ============================ ==========================================================

AUC is the area under the ROC curve of a gradient-boosted classifier of simulated and real rows,
cross-validated in five folds: 0.5 if it can't separate them, 1 if it always can.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from skyserver_standin.sky.simulation import simulate_sky

ROOT = Path(__file__).parents[1]
BANDS = list("ugriz")
COLORS = ["u-g", "g-r", "r-i", "i-z"]
FILES = {
    "bright": "sdss_dr14_10k.csv.gz",
    "spec": "sdss_galaxy_colors_50k.csv.gz",
    "all": "sdss_dr17_55k.csv.gz",
}
CLASSES = {
    "bright": ("GALAXY", "QSO", "STAR"),
    "spec": ("GALAXY", "QSO"),
    "all": ("GALAXY", "QSO", "STAR"),
}
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def read_real(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the real samples; exit with a message if one is missing."""
    missing = [name for name in FILES.values() if not (folder / name).is_file()]
    if missing:
        sys.exit(f"measure_realism.py: no {missing[0]} in {folder}; name the folder that has it")
    samples = {}
    for name, file in FILES.items():
        frame = pd.read_csv(folder / file).rename(columns={"spec_class": "class"})
        frame = frame[["class", "redshift", *BANDS]]
        # without -9999 and redshifts of exactly 0 (a defect of the public copies)
        good = (frame[BANDS] > 0).all(axis=1)
        good &= (frame["redshift"] != 0) | (frame["class"] == "STAR")
        samples[name] = with_colors(frame[good])
    return samples


def simulate(objects: int, seed: int) -> dict[str, pd.DataFrame]:
    """Simulate a sky and apply the cuts of the real samples."""
    with tempfile.TemporaryDirectory() as folder:
        simulate_sky(folder, objects, seed)
        spec = pd.read_parquet(
            Path(folder) / "specobj.parquet", columns=["bestObjID", "class", "z", "sciencePrimary"]
        )
        photo = pd.read_parquet(Path(folder) / "photoobj.parquet", columns=["objID", *BANDS])
    spec = spec[spec["sciencePrimary"] == 1].rename(columns={"z": "redshift"})
    frame = spec.merge(photo, left_on="bestObjID", right_on="objID")
    frame = with_colors(frame[(frame[BANDS] > 0).all(axis=1)])
    return {
        "bright": frame[(frame["u"] < 19.6) & (frame["g"] < 20)],
        "spec": frame[(frame[BANDS] < 20).all(axis=1) & (frame["class"] != "STAR")],
        "all": frame,
    }


def with_colors(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the colours of neighbouring bands."""
    colors = {f"{a}-{b}": frame[a] - frame[b] for a, b in itertools.pairwise(BANDS)}
    return frame.assign(**colors).reset_index(drop=True)


def auc(
    real: pd.DataFrame, simulated: pd.DataFrame, columns: list[str], rows: int, seed: int
) -> float:
    """Cross-validated AUC of a classifier between equal numbers of real and simulated rows."""
    n = min(len(real), len(simulated), rows)
    both = [frame.sample(n, random_state=seed)[columns] for frame in (real, simulated)]
    labels = np.repeat([0, 1], n)
    model = HistGradientBoostingClassifier(max_iter=150, random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    features = pd.concat(both).to_numpy()
    scores = cross_val_predict(model, features, labels, cv=folds, method="predict_proba")
    return float(roc_auc_score(labels, scores[:, 1]))


def compare(real: pd.DataFrame, simulated: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Quantiles of both and their KS distance, one row per column."""
    rows = {}
    for column in columns:
        a, b = real[column].to_numpy(), simulated[column].to_numpy()
        pairs = zip(np.quantile(a, QUANTILES), np.quantile(b, QUANTILES), strict=True)
        row = {
            f"{int(100 * q)} %": f"{x:.3f} / {y:.3f}"
            for q, (x, y) in zip(QUANTILES, pairs, strict=True)
        }
        rows[column] = row | {"KS": f"{ks_2samp(a, b).statistic:.3f}"}
    return pd.DataFrame(rows).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=ROOT / "../shared/data")
    parser.add_argument("--objects", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=12_000, help="of each side, for a classifier")
    parser.add_argument("--brief", action="store_true", help="only fractions, KS and AUC")
    arguments = parser.parse_args()
    real = read_real(arguments.data)
    simulated = simulate(arguments.objects, arguments.seed)
    summary = []
    for name in FILES:
        one, other = real[name], simulated[name]
        everything = auc(one, other, ["r", *COLORS], arguments.rows, arguments.seed)
        summary.append((name, "all classes", len(one), len(other), "", "", everything))
        for label in CLASSES[name]:
            a, b = one[one["class"] == label], other[other["class"] == label]
            columns = ["r", *COLORS] + ([] if label == "STAR" else ["redshift"])
            table = compare(a, b, columns)
            print(f"\n{name}, {label} (real / simulated)\n")
            print((table[["50 %", "KS"]] if arguments.brief else table).to_string())
            shares = f"{len(a) / len(one):.3f}", f"{len(b) / len(other):.3f}"
            summary.append(
                (
                    name,
                    label,
                    len(a),
                    len(b),
                    *shares,
                    auc(a, b, columns, arguments.rows, arguments.seed),
                )
            )
    names = ["sample", "class", "real", "simulated", "share real", "share simulated", "AUC"]
    print(f"\n{arguments.objects} objects, seed {arguments.seed}\n")
    print(pd.DataFrame(summary, columns=names).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
