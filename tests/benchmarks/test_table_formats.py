"""The benchmark's files hold the same rows, whatever their format."""

import pyarrow.parquet as pq
import pytest

from sdssflow.acquire.files.readers import read_source
from tests.acquire.files.good_table import good_columns, good_frame, source, write
from tests.benchmarks.loading import load

NUMBERS = {name: to for name, to in good_columns().items() if to not in ("class", "specObjID")}


@pytest.mark.parametrize("form", ["csv", "csv.gz", "ecsv", "vot", "h5"])
def test_a_table_is_the_same_in_every_form(form, tmp_path):
    formats = load("table_formats")
    good = write(good_frame()[list(NUMBERS.values())], tmp_path / "a.parquet")
    path = tmp_path / f"a.{form}"
    formats.convert(good, path, form)
    found = read_source(path, source(path, columns=NUMBERS)).table
    wanted = pq.read_table(good).rename_columns(list(NUMBERS))
    for name in NUMBERS:
        values = [float(value) for value in found[name].to_pylist()]
        assert values == [float(value) for value in wanted[name].to_pylist()]
