"""Reading a part of a fold: order, types, digests and refusals."""

import numpy as np
import pyarrow as pa
import pytest

from sdssflow.prepare.parts import feature_names, folds, read_part
from sdssflow.tables import with_metadata, write_parquet


def table(**changes):
    columns = {
        "row_id": [3, 1, 2, 1],
        "spec_class": ["STAR", "QSO", None, "QSO"],
        "zspec": [0.1, None, 0.3, None],
        "reference_mag": pa.array([17.0, None, 18.0, None], pa.float32()),
        "g_r": [0.5, 0.6, None, 0.6],
        "u_g": [1.5, 1.6, 1.7, 1.6],
        "fold": pa.array([0, 0, 0, 1], pa.int32()),
        "part": ["train", "train", "calibration", "train"],
        "group": ["a", "b", "c", "b"],
    }
    return with_metadata(pa.table({**columns, **changes}), features=["u_g", "g_r"])


@pytest.fixture
def path(tmp_path):
    write_parquet(table(), tmp_path / "development.parquet")
    return tmp_path / "development.parquet"


def test_a_part_has_its_rows_in_order(path):
    part = read_part(path, 0, "train")
    assert part.feature_names == feature_names(path) == ("u_g", "g_r")
    assert part.row_id.tolist() == [3, 1]
    assert part.features.tolist() == [[1.5, 0.5], [1.6, 0.6]]
    assert part.features.dtype == np.float64
    assert part.reference_mag.dtype == np.float32
    assert part.spec_class.tolist() == ["STAR", "QSO"]
    assert part.group.tolist() == ["a", "b"]
    assert np.isnan(part.zspec[1])


def test_nulls_are_nan_and_no_class_is_empty_text(path):
    part = read_part(path, 0, "calibration")
    assert np.isnan(part.features[0, 1])
    assert part.spec_class.tolist() == [""]


def test_a_part_that_is_not_there_has_no_rows(path):
    part = read_part(path, 0, "validation")
    assert len(part) == 0
    assert part.features.shape == (0, 2)
    assert part.spec_class.dtype.kind == "U"


def test_folds_are_ascending(path):
    assert folds(path) == [0, 1]


def test_the_digest_is_that_of_the_rows(path, tmp_path):
    digests = {read_part(path, fold, "train").digest for fold in (0, 1)}
    assert len(digests) == 2
    other = tmp_path / "other.parquet"
    write_parquet(table(u_g=[1.5, 1.6, 1.7, 1.60001]), other)
    assert read_part(other, 0, "train").digest == read_part(path, 0, "train").digest
    assert read_part(other, 1, "train").digest != read_part(path, 1, "train").digest


def test_truths_that_the_sample_lacks_are_none(tmp_path):
    path = tmp_path / "development.parquet"
    write_parquet(table().drop_columns(["spec_class", "zspec"]), path)
    part = read_part(path, 0, "train")
    assert part.spec_class is None
    assert part.zspec is None


def test_faults_are_named(path, tmp_path):
    with pytest.raises(ValueError, match="unknown part 'tset'"):
        read_part(path, 0, "tset")
    other = tmp_path / "other.parquet"
    write_parquet(table(u_g=[1.5, np.inf, 1.7, 1.6]), other)
    with pytest.raises(ValueError, match=r"other\.parquet: u_g of row_id 1 is infinite"):
        read_part(other, 0, "train")
    write_parquet(table().replace_schema_metadata(None), other)
    with pytest.raises(ValueError, match="no features in its metadata"):
        read_part(other, 0, "train")
    write_parquet(table().slice(0, 0), other)
    with pytest.raises(ValueError, match="no rows"):
        folds(other)
