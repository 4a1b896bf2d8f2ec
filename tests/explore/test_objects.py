import numpy as np
import pyarrow as pa
import pytest

from sdssflow.configuration.features import Features
from sdssflow.explore.objects import UNKNOWN, read_objects
from sdssflow.prepare.columns import MissingColumnError
from sdssflow.prepare.features import build_features
from sdssflow.tables import with_metadata, write_parquet


def read(path, figure="magnitudes", **features):
    return read_objects(path, "made", Features(**features), figure)


@pytest.mark.parametrize("deredden", [True, False])
@pytest.mark.parametrize("applied", [True, False])
def test_figures_show_the_magnitudes_that_the_models_see(
    tmp_path, make_catalogue, deredden, applied
):
    catalogue = make_catalogue(extinction_applied=applied)
    write_parquet(catalogue, tmp_path / "c.parquet")
    drawn = read(tmp_path / "c.parquet", deredden=deredden).magnitudes
    features = build_features(catalogue, Features(groups=["magnitudes"], deredden=deredden))
    seen = np.column_stack([features[f"model_mag_{band}"].to_numpy() for band in "ugriz"])
    np.testing.assert_allclose(drawn, seen, rtol=0, atol=1e-12)


def test_label_says_what_was_done_about_extinction(tmp_path, make_catalogue):
    write_parquet(make_catalogue(), tmp_path / "c.parquet")
    write_parquet(make_catalogue(leave_out=("extinction_r",)), tmp_path / "none.parquet")
    assert "not corrected" not in read(tmp_path / "c.parquet").magnitude_label
    assert "not corrected" in read(tmp_path / "c.parquet", deredden=False).magnitude_label
    assert "not corrected" in read(tmp_path / "none.parquet").magnitude_label


def test_missing_column_is_named_with_the_key_to_change(tmp_path, make_catalogue):
    write_parquet(make_catalogue(leave_out=("zspec",)), tmp_path / "c.parquet")
    with pytest.raises(MissingColumnError, match=r"(?s)explore\.figures: redshifts.*'zspec'"):
        read(tmp_path / "c.parquet", "redshifts")
    with pytest.raises(MissingColumnError, match="psf_mag_u"):
        read(tmp_path / "c.parquet", magnitudes="psf")


def test_column_without_a_value_is_refused(tmp_path, make_catalogue):
    catalogue = make_catalogue(leave_out=("zspec",))
    catalogue = catalogue.append_column("zspec", pa.nulls(len(catalogue), pa.float64()))
    write_parquet(catalogue, tmp_path / "c.parquet")
    with pytest.raises(ValueError, match=r"'zspec' has no value.*explore\.figures"):
        read(tmp_path / "c.parquet", "redshifts")
    assert read(tmp_path / "c.parquet").zspec is None


def test_empty_catalogue_is_refused(tmp_path, make_catalogue):
    write_parquet(make_catalogue().slice(0, 0), tmp_path / "c.parquet")
    with pytest.raises(ValueError, match=r"c\.parquet: no rows"):
        read(tmp_path / "c.parquet")


def test_missing_magnitudes_and_classes_stay_missing(tmp_path, make_catalogue):
    catalogue = make_catalogue(n=5)
    for name, values in {
        "model_mag_u": pa.array([18.0, None, 18.0, 18.0, 18.0], pa.float32()),
        "spec_class": pa.array(["GALAXY", None, "STAR", "GALAXY", "QSO"]),
    }.items():
        catalogue = catalogue.set_column(catalogue.column_names.index(name), name, values)
    write_parquet(with_metadata(catalogue), tmp_path / "c.parquet")
    objects = read(tmp_path / "c.parquet")
    assert np.flatnonzero(np.isnan(objects.magnitudes[:, 0])).tolist() == [1]
    assert np.flatnonzero(np.isnan(objects.colors[:, 0])).tolist() == [1]
    names = [name for name, _ in objects.groups()]
    assert names[0] == "GALAXY"
    assert UNKNOWN in names
    assert sum(mask.sum() for _, mask in objects.groups()) == 5


def test_sample_without_classes_is_one_group(tmp_path, make_catalogue):
    write_parquet(make_catalogue(leave_out=("spec_class",)), tmp_path / "c.parquet")
    ((name, mask),) = read(tmp_path / "c.parquet").groups()
    assert name == ""
    assert mask.all()
