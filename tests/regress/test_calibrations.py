"""Calibrations of p(z): fitted on the calibration part, saved, read back, refused."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.regress import calibrations
from sdssflow.regress.calibrations import (
    Calibration,
    calibrate_fold,
    read_calibration,
    write_calibration,
)
from tests.regress import galaxies
from tests.regress.calibrated import FOREST, LOCAL, calibrate, train

SETTINGS = PdfCalibration()
TRAIN, CALIBRATION = galaxies.part(400, 1), galaxies.part(300, 2)


def too_narrow(features):
    """Return p(z) from the magnitude, half as wide as they ought to be."""
    mean = np.clip((features[:, 4] - 15) / 8, 0, 0.4)[:, None]
    return Mixture(np.ones_like(mean), mean, np.full_like(mean, 0.5 / 8 / 2), 0.0, 0.5)


def fit(part=CALIBRATION, settings=SETTINGS, train=TRAIN, seed=1):
    return calibrate_fold(too_narrow, part, train, LOCAL, settings, seed)


def wrapped(*folds):
    return Calibration(
        "some", "simulated", "holdout", 1, galaxies.NAMES, SETTINGS, dict(enumerate(folds))
    )


def test_the_width_mends_the_pit():
    fold = fit()
    assert 1.4 < fold.width < 2
    assert fold.pit_ks_after < 0.7 * fold.pit_ks_before
    assert fold.note == ""
    pdf = too_narrow(CALIBRATION.features)
    np.testing.assert_array_equal(fold.recalibrate(pdf).scales, pdf.scales * fold.width)
    assert (fold.objects, fold.digest) == (300, CALIBRATION.digest)


def test_conformal_intervals_are_of_the_recalibrated_pdf():
    fold = fit()
    pdf = fold.recalibrate(too_narrow(CALIBRATION.features))
    columns = fold.columns(
        pdf, CALIBRATION.features, CALIBRATION.feature_names, CALIBRATION.reference_mag
    )
    zspec = CALIBRATION.zspec
    for name, level in (("68", 0.68), ("95", 0.95)):
        low, high = columns[f"conformal_low_{name}"], columns[f"conformal_high_{name}"]
        inside = (low <= zspec) & (zspec <= high)
        assert level <= inside.mean() < level + 0.03  # the very objects it was fitted on
    assert columns["outside_training"].dtype == bool
    assert columns["outside_training"].mean() < 0.05


def test_blocks_do_not_matter(monkeypatch):
    whole = fit()
    monkeypatch.setattr(calibrations, "BLOCK", 7)
    blocks = fit()
    assert blocks.width == whole.width
    assert blocks.pit_ks_after == pytest.approx(whole.pit_ks_after, abs=1e-12)
    np.testing.assert_allclose(blocks.conformal.reach["68"], whole.conformal.reach["68"])


def test_of_many_objects_some_fit_the_width(monkeypatch):
    whole = fit()
    monkeypatch.setattr(calibrations, "MOST_FITTED", 150)
    some = fit()
    assert some.width != whole.width
    assert some.width == pytest.approx(whole.width, rel=0.2)
    assert some.objects == 300  # all of them count for the rest


def test_recalibration_can_be_left_out():
    fold = fit(settings=PdfCalibration(recalibration="none"))
    assert fold.width == 1
    assert fold.pit_ks_after == fold.pit_ks_before
    assert "recalibration is none" in fold.note


def test_a_small_calibration_part_leaves_the_width():
    fold = fit(part=CALIBRATION.subset(slice(40)))
    assert fold.width == 1
    assert "has 40 objects, fewer than 50" in fold.note
    assert np.isfinite(fold.conformal.reach_of_all["68"])


def test_a_width_at_its_bound_is_told():
    def far_too_narrow(features):
        pdf = too_narrow(features)
        return Mixture(pdf.weights, pdf.means, pdf.scales / 10, pdf.lower, pdf.upper)

    fold = calibrate_fold(far_too_narrow, CALIBRATION, TRAIN, LOCAL, SETTINGS, 1)
    assert fold.width == pytest.approx(2, rel=1e-3)
    assert "beyond its bound 2" in fold.note


def test_without_calibration_part_p_z_stays_and_intervals_are_missing(tmp_path):
    fold = fit(part=galaxies.part(0))
    assert (fold.width, fold.objects) == (1, 0)
    assert np.isnan(fold.pit_ks_before)
    assert "no calibration part" in fold.note
    paths = tmp_path / "1.json", tmp_path / "1.parquet"
    write_calibration(wrapped(fold), *paths)
    back = read_calibration(*paths).folds[0]
    pdf = too_narrow(TRAIN.features)
    columns = back.columns(pdf, TRAIN.features, TRAIN.feature_names, TRAIN.reference_mag)
    assert np.isnan(columns["conformal_low_68"]).all()
    assert np.isfinite(columns["train_distance"]).all()
    assert back.recalibrate(pdf) is pdf


def test_missing_redshifts_and_features_are_named():
    broken = galaxies.part(60, 2)
    broken.zspec[3] = np.nan
    with pytest.raises(ValueError, match="zspec is missing for 1 of 60 .* calibration .* 2003"):
        fit(part=broken)
    lacking = galaxies.part(60, 2)
    lacking.features[5, 1] = np.nan
    with pytest.raises(ValueError, match="'color_g_r' is missing for 1 of 60"):
        fit(part=lacking)


@pytest.fixture
def saved(tmp_path):
    train = galaxies.part(200, 5)
    train.features[::9, 0] = np.nan
    calibration = wrapped(fit(), fit(part=galaxies.part(80, 4), train=train))
    paths = tmp_path / "1.json", tmp_path / "1.parquet"
    write_calibration(calibration, *paths)
    return calibration, paths


def test_a_calibration_is_read_back_to_the_bit(saved, tmp_path):
    calibration, paths = saved
    back = read_calibration(*paths)
    test = galaxies.part(50, 7)
    for number, fold in calibration.folds.items():
        pdf = fold.recalibrate(too_narrow(test.features))
        again = back.folds[number].recalibrate(too_narrow(test.features))
        arguments = (test.features, test.feature_names, test.reference_mag)
        columns, repeated = (
            fold.columns(pdf, *arguments),
            back.folds[number].columns(again, *arguments),
        )
        assert list(columns) == list(repeated)
        for name, values in columns.items():
            np.testing.assert_array_equal(repeated[name], values)
    assert (back.model, back.seed, back.features) == ("some", 1, galaxies.NAMES)
    assert back.settings == SETTINGS
    copies = tmp_path / "2.json", tmp_path / "2.parquet"
    write_calibration(back, *copies)
    for path, copy in zip(paths, copies, strict=True):
        assert path.read_bytes() == copy.read_bytes()


def change(path, place, value):
    content = json.loads(path.read_text())
    *keys, last = place
    inner = content
    for key in keys:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (["folds", "0", "width"], 7.0, "folds.0.width"),
        (["folds", "0", "width"], float("nan"), "folds.0.width"),
        (["folds", "1", "width"], None, "folds.1.width"),
        (["folds", "0", "conformal", "edges"], [15.0], "folds.0.conformal"),
        (["folds", "0", "conformal", "reach"], {"68": [0.3] * 4}, "folds.0.conformal"),
        (["folds", "0", "conformal", "reach_of_all"], {"68": 0.9, "95": 0.4}, "reach_of_all.68"),
        (["folds", "0", "support", "scale"], [1.0, 1.0], "folds.0.support"),
        (["folds", "0", "support", "colors"], ["a", "b", "c", "d", "e"], "colors of fold 0"),
        (["folds", "0", "support", "limit"], "far", "folds.0.support.limit"),
        (["features"], None, "features"),
        (["extra"], 1, "extra"),
        (["folds"], {}, "folds"),
    ],
)
def test_a_changed_file_is_refused(saved, place, value, told):
    _, paths = saved
    change(paths[0], place, value)
    with pytest.raises(ValueError, match=r"1\.json: not a calibration \(.*run again") as refused:
        read_calibration(*paths)
    assert told in str(refused.value)


def test_cut_and_foreign_files_are_refused(saved):
    _, paths = saved
    table = pq.read_table(paths[1])
    pq.write_table(table.slice(0, 5).replace_schema_metadata(table.schema.metadata), paths[1])
    with pytest.raises(ValueError, match="not the training objects that .*1.json was written with"):
        read_calibration(*paths)
    paths[0].write_text(paths[0].read_text()[:200])
    with pytest.raises(ValueError, match=r"1\.json: not a calibration"):
        read_calibration(*paths)


@pytest.mark.parametrize("settings", [LOCAL, FOREST], ids=lambda settings: settings.kind)
def test_the_rule_calibrates_every_fold(settings, tmp_path):
    development, _ = galaxies.write_split(tmp_path, folds=2)
    folder = train(development, tmp_path / "model", settings)
    paths = calibrate(folder, development, tmp_path / "calibration")
    calibration = read_calibration(*paths)
    assert list(calibration.folds) == [0, 1]
    assert {fold.objects for fold in calibration.folds.values()} == {20}
    assert {len(fold.support.points) for fold in calibration.folds.values()} == {300}
    again = calibrate(folder, development, tmp_path / "again")
    for path, copy in zip(paths, again, strict=True):
        assert path.read_bytes() == copy.read_bytes()


def test_a_model_trained_on_other_rows_is_refused(tmp_path):
    development, _ = galaxies.write_split(tmp_path, seed=1)
    other, _ = galaxies.write_split(tmp_path, seed=2)
    folder = train(other, tmp_path / "model", LOCAL)
    with pytest.raises(ValueError, match="fold 0 was trained on rows of digest .* train again"):
        calibrate(folder, development, tmp_path / "calibration")
    assert not (tmp_path / "calibration").exists()


def test_a_fault_of_the_calibration_part_names_file_and_fold(tmp_path):
    development, _ = galaxies.write_split(tmp_path)
    folder = train(development, tmp_path / "model", LOCAL)
    table = pq.read_table(development)
    zspec = table["zspec"].to_numpy().copy()
    zspec[table["part"].to_numpy(zero_copy_only=False) == "calibration"] = np.nan
    pq.write_table(table.set_column(1, "zspec", [zspec]), development)
    with pytest.raises(ValueError, match=r"development\.parquet, fold 0: zspec is missing"):
        calibrate(folder, development, tmp_path / "calibration")
