"""Predictions of models whose p(z) are known: Gaussians, with everything in closed form."""

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import norm

from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.tables import with_metadata, write_parquet
from tests.redshift_pdf.mixtures import write_pdfs

DIGESTS = {"1": "aaaaaaaaaaaa", "2": "bbbbbbbbbbbb"}


def gaussian_columns(mean, width, zspec):
    """Return the columns of p(z) = N(mean, width), far from z = 0."""
    u = (zspec - mean) / width
    crps = width * (u * (2 * norm.cdf(u) - 1) + 2 * norm.pdf(u) - 1 / np.sqrt(np.pi))
    columns = {"zspec": zspec, "zphot": mean}
    columns |= {f"zphot_{point}": mean for point in ("mean", "median", "mode", "best")}
    columns["pit"] = norm.cdf(u)
    columns["crps"] = crps
    columns["cde"] = 1 / (2 * width * np.sqrt(np.pi)) - 2 * norm.pdf(u) / width
    columns["log_density"] = norm.logpdf(u) - np.log(width)
    for level, tail in ((68, 0.16), (95, 0.025)):
        reach = -norm.ppf(tail) * width
        for kind in ("z", "conformal"):
            columns[f"{kind}_low_{level}"] = mean - reach
            columns[f"{kind}_high_{level}"] = mean + reach
    return {name: np.array(values, dtype=float) for name, values in columns.items()}


def gaussian_frame(n=600, stretch=1.0, noise=0.02, seeds=(1, 2)):
    """Return predictions whose p(z) are `stretch` times as wide as they ought to be."""
    frames = []
    for seed in seeds:
        generator = np.random.default_rng([seed, 5])
        truth = generator.uniform(0.2, 0.5, n)
        width = noise * generator.uniform(0.7, 1.5, n)
        drawn = generator.normal(0, 1, n)
        about = {
            "row_id": np.arange(n) + 1000,
            "seed": np.int32(seed),
            "fold": np.int32(0),
            "group": (np.arange(n) + 1000).astype(str),
            "reference_mag": generator.uniform(14, 18, n).astype(np.float32),
        }
        columns = gaussian_columns(truth, stretch * width, truth + width * drawn)
        columns["train_distance"] = generator.uniform(0, 1, n)
        frames.append(pd.DataFrame(about | columns))
    return pd.concat(frames, ignore_index=True)


def gaussian_mixture(frame):
    """Return the p(z) of `gaussian_frame` as the mixtures of one component that they are."""
    width = (frame["z_high_68"] - frame["z_low_68"]).to_numpy() / 2 / -norm.ppf(0.16)
    mean = frame["zphot"].to_numpy()
    return Mixture(np.ones((len(mean), 1)), mean[:, None], width[:, None], 0.0, 1.0)


def write_gaussians(path, frame, rows=slice(None)):
    """Write pdfs.hdf5 of `gaussian_frame`, or of some of its rows."""
    frame = frame.iloc[rows]
    about = {name: frame[name].to_numpy() for name in ("row_id", "seed", "fold")}
    write_pdfs(path, 99, (gaussian_mixture(frame), about))
    return str(path)


def write_pdf_predictions(path, model, frame):
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    digests = {str(seed): DIGESTS[str(seed)] for seed in sorted(set(frame["seed"]))}
    write_parquet(with_metadata(table, model=model, test_digests=digests), path)
    return str(path)
