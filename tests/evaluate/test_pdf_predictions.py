"""From model folders and calibrations to p(z) of the test objects."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from sdssflow.evaluate.pdf_predictions import predict_part
from sdssflow.models.folders import open_folder
from sdssflow.prepare.parts import read_part
from sdssflow.redshift_pdf.qp_files import read_pdfs
from sdssflow.regress import calibrations
from sdssflow.regress.calibrations import read_calibration
from sdssflow.tables import metadata
from tests.regress import galaxies
from tests.regress.calibrated import FOREST, LOCAL, calibrate, predict, train

COLUMNS = [
    "row_id", "seed", "fold", "group", "reference_mag", "zspec", "zphot", "zphot_mean",
    "zphot_median", "zphot_mode", "zphot_best", "z_low_68", "z_high_68", "z_low_95", "z_high_95",
    "odds", "pit",
    "crps", "cde", "log_density", "conformal_low_68", "conformal_high_68", "conformal_low_95",
    "conformal_high_95", "train_distance", "outside_training",
]  # fmt: skip
both_kinds = pytest.mark.parametrize("settings", [LOCAL, FOREST], ids=lambda s: s.kind)


def calibrated(place, settings, seed=1, **options):
    """Train and calibrate; return model folder, calibration files and test table."""
    development, test = galaxies.write_split(place, seed, **options)
    folder = train(development, place / f"model_{seed}", settings, seed)
    return folder, calibrate(folder, development, place / "calibration", seed), test


@both_kinds
def test_from_split_tables_to_predictions(settings, tmp_path):
    made = [calibrated(tmp_path, settings, seed, folds=2) for seed in (1, 2)]
    folders, files, tests = zip(*made, strict=True)
    table = predict(folders, files, tests, [1, 2], tmp_path)
    assert table.column_names == COLUMNS
    frame = table.to_pandas()
    assert frame.groupby(["seed", "fold"]).size().tolist() == [80] * 4
    assert frame.notna().all(axis=None)
    assert (frame["zphot"] == frame["zphot_mean"]).all()
    assert (frame["zphot"] - frame["zspec"]).std() < 0.4 * frame["zspec"].std()
    assert frame["pit"].between(0, 1).all()
    assert frame["outside_training"].dtype == bool
    order = ["z_low_95", "z_low_68", "zphot_median", "z_high_68", "z_high_95"]
    assert (np.diff(frame[order], axis=1) >= 0).all()
    about = metadata(table.schema)
    assert (about["model"], about["sample"], about["split"]) == ("some", "simulated", "holdout")
    assert about["test_digests"]["2"] == metadata(pq.read_schema(tests[1]))["data_digest"]


@both_kinds
def test_the_pdfs_are_in_the_order_of_the_predictions(settings, tmp_path):
    folder, files, test = calibrated(tmp_path, settings, folds=2)
    frame = predict([folder], [files], [test], [1], tmp_path).to_pandas()
    pdfs, ancil = read_pdfs(tmp_path / "pdfs.hdf5")
    for name in ("row_id", "seed", "fold"):
        np.testing.assert_array_equal(ancil[name], frame[name])
    (middle,) = np.flatnonzero(np.isclose(pdfs.levels, 0.5))
    np.testing.assert_allclose(pdfs.redshifts[:, middle], frame["zphot_median"], atol=1e-6)


def test_predictions_are_of_the_recalibrated_pdf(tmp_path):
    folder, files, test = calibrated(tmp_path, LOCAL)
    calibration, part = read_calibration(*files), read_part(test, 0, "test")
    fold = calibration.folds[0]
    opened = open_folder(folder)
    plain = predict_part(opened, 0, replace(fold, width=1.0), part)
    wide = predict_part(opened, 0, replace(fold, width=1.5), part)
    inner = plain["z_low_95"] > 0.02  # else p(z) is cut off at 0
    ratio = (wide["z_high_68"] - wide["z_low_68"]) / (plain["z_high_68"] - plain["z_low_68"])
    assert np.median(ratio[inner]) == pytest.approx(1.5, rel=0.02)
    assert (np.abs(wide["pit"] - 0.5) <= np.abs(plain["pit"] - 0.5) + 1e-9)[inner].all()


@both_kinds
def test_an_object_has_one_prediction_alone_in_a_chunk_and_in_the_table(
    settings, tmp_path, monkeypatch
):
    folder, files, test = calibrated(tmp_path, settings)
    opened, fold = open_folder(folder), read_calibration(*files).folds[0]
    part = read_part(test, 0, "test")

    def of(rows):
        return predict_part(opened, 0, fold, part.subset(rows))

    whole = of(np.arange(80))
    order = np.random.default_rng(0).permutation(80)
    for rows in (order, *np.arange(80)[::11, None]):
        for name, values in of(rows).items():
            np.testing.assert_allclose(values, whole[name][rows], rtol=0, atol=1e-6, err_msg=name)
    monkeypatch.setattr(calibrations, "BLOCK", 7)
    for name, values in of(np.arange(80)).items():
        np.testing.assert_allclose(values, whole[name], rtol=0, atol=1e-6, err_msg=name)
    with pytest.raises(ValueError, match="test part has no objects"):
        of(np.arange(0))


@both_kinds
def test_the_same_inputs_give_the_same_bytes_whatever_the_threads(settings, tmp_path, monkeypatch):
    folder, files, test = calibrated(tmp_path, settings)
    monkeypatch.setattr(calibrations, "BLOCK", 7)
    for place, threads in (("a", 1), ("b", 3)):
        predict([folder], [files], [test], [1], tmp_path / place, threads)
    for name in ("predictions.parquet", "pdfs.hdf5"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_point_estimate_is_the_models(tmp_path):
    settings = FOREST.model_copy(update={"point": "mode"})
    folder, files, test = calibrated(tmp_path, settings)
    frame = predict([folder], [files], [test], [1], tmp_path).to_pandas()
    assert (frame["zphot"] == frame["zphot_mode"]).all()
    assert (frame["zphot"] != frame["zphot_mean"]).any()


def change(path, column, row, value):
    table = pq.read_table(path)
    place = table.column_names.index(column)
    values = table[column].to_numpy().copy()
    values[row] = value
    pq.write_table(table.set_column(place, column, [values]), path)


def test_missing_features_are_taken_or_named(tmp_path):
    for settings in (FOREST, LOCAL):
        folder, files, test = calibrated(tmp_path / settings.kind, settings)
        change(test, "color_g_r", 4, np.nan)
        if settings is FOREST:
            table = predict([folder], [files], [test], [1], tmp_path)
            assert np.isfinite(table["train_distance"].to_numpy()[4])
        else:
            with pytest.raises(ValueError, match="'color_g_r' is missing for 1 of 80 objects"):
                predict([folder], [files], [test], [1], tmp_path)


def test_a_missing_redshift_is_named(tmp_path):
    folder, files, test = calibrated(tmp_path, LOCAL)
    change(test, "zspec", 4, np.nan)
    with pytest.raises(ValueError, match=r"test\.parquet, model .*zspec is missing .*row_id 3004"):
        predict([folder], [files], [test], [1], tmp_path)
    assert not (tmp_path / "predictions.parquet").exists()


def test_the_calibration_of_another_model_is_refused(tmp_path):
    folder, files, test = calibrated(tmp_path, LOCAL, seed=1)
    _, others, _ = calibrated(tmp_path, LOCAL, seed=2)
    with pytest.raises(ValueError, match="the calibration is that of model 'some', seed 2"):
        predict([folder], [others], [test], [1], tmp_path)
    _, retrained, _ = calibrated(tmp_path / "more", LOCAL, seed=1, validation=0)
    predict([folder], [retrained], [test], [1], tmp_path)  # trained on the same rows
    content = files[0].read_text().replace('"training_digest": "', '"training_digest": "0')
    files[0].write_text(content)
    with pytest.raises(ValueError, match="not that of fold 0 of this model as trained"):
        predict([folder], [files], [test], [1], tmp_path)


def test_without_calibration_part_there_are_no_conformal_intervals(tmp_path):
    development, test = galaxies.write_split(tmp_path)
    table = pq.read_table(development)
    calibration = table["part"].to_numpy(zero_copy_only=False) == "calibration"
    pq.write_table(table.filter(~calibration), development)
    folder = train(development, tmp_path / "model", LOCAL)
    files = calibrate(folder, development, tmp_path / "calibration")
    frame = predict([folder], [files], [test], [1], tmp_path).to_pandas()
    conformal = [name for name in frame if name.startswith("conformal")]
    assert len(conformal) == 4
    assert frame[conformal].isna().all(axis=None)
    assert frame.drop(columns=conformal).notna().all(axis=None)
