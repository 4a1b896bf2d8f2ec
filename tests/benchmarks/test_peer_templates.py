"""The table of template fitting: paired with the first of ours, better and worse by their signs."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sdssflow.acquire.schema import BANDS
from sdssflow.evaluate.tables import Predictions
from sdssflow.tables import with_metadata, write_parquet
from tests.benchmarks.loading import load

compare = load("peers/compare_templates")


def predictions(name, scatter, n=400):
    generator = np.random.default_rng(5)
    zspec = generator.uniform(0.05, 0.3, n)
    frame = pd.DataFrame({"row_id": range(n), "seed": 1, "fold": 0, "zspec": zspec})
    frame["zphot"] = zspec + scatter * generator.standard_normal(n)
    frame["group"] = frame["row_id"].astype(str)
    frame["reference_mag"] = generator.uniform(15, 17, n)
    return Predictions(name, frame, {1: "a" * 64})


def test_what_scatters_more_has_more_than_the_first():
    made = [predictions("ours", 0.02), predictions("worse", 0.03), predictions("better", 0.01)]
    _, _, ours, worse, better = compare.table(made)
    assert ours.endswith("|  |")
    assert float(worse.split("|")[-2].split()[0]) > 0.005
    assert better.split("|")[-2].strip().startswith("\N{MINUS SIGN}0.0")


def catalogue(path, applied):
    columns = {f"model_mag_{band}": [17.0 + k, 18.0] for k, band in enumerate(BANDS)}
    columns |= {f"model_mag_err_{band}": [0.1, 0.2] for band in BANDS}
    table = with_metadata(pa.table({"row_id": [7, 3], **columns}), extinction_applied=applied)
    write_parquet(table, path)


def test_rows_are_found_by_their_ids_and_have_to_be_dereddened(tmp_path):
    catalogue(tmp_path / "a.parquet", True)
    rows = compare.rows_of(tmp_path / "a.parquet", np.array([3, 7]), "model")
    assert rows["magnitudes"][:, 1].tolist() == [18.0, 18.0]
    assert rows["errors"][:, 0].tolist() == [0.2, 0.1]
    catalogue(tmp_path / "b.parquet", False)
    with pytest.raises(ValueError, match="not dereddened"):
        compare.rows_of(tmp_path / "b.parquet", np.array([3]), "model")
