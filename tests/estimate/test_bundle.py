"""Bundles: what they hold, what they refuse, and the numbers they give."""

import json
import shutil
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import predict_classes
import predict_pdfs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sdssflow import bundle
from sdssflow.acquire.schema import CLASSES
from sdssflow.bundle import BundleError
from sdssflow.tables import with_metadata
from tests.estimate.conftest import bundled, sky, without_truth
from tests.jobs import run


def predicted(module, origins, place, **params):
    """Return what a rule predicts of the test part that a model was evaluated on."""
    folder = place / "predicted"
    folder.mkdir()
    test = str(origins.model).rpartition("/")[0] + "/test.parquet"
    inputs = {"models": [origins.model], "tests": [test]}
    if origins.calibration:
        inputs |= {"calibrations": [origins.calibration], "references": [origins.reference]}
    outputs = {"predictions": folder / "p.parquet", "pdfs": folder / "pdfs.hdf5"}
    run(module, inputs, outputs, seeds=[1], model="some", quantiles=9, **params)
    return pq.read_table(folder / "p.parquet")


def test_the_test_part_taken_as_unknown_gets_the_numbers_it_was_judged_by(
    tmp_path, objects, ensemble, redshifts
):
    known = predicted(predict_pdfs, ensemble, tmp_path)
    given = without_truth(objects.take(known["row_id"]))
    found = bundle.load(redshifts).estimate(given, extinction_applied=False)
    shared = [name for name in found.column_names if name in known.column_names]
    assert {"zphot", "z_low_95", "odds", "conformal_high_68", "outside_training"} <= {*shared}
    for name in shared:
        wanted = known[name].to_numpy()
        kind = np.float32 if wanted.dtype.kind == "f" else bool
        np.testing.assert_array_equal(found[name].to_numpy(), wanted.astype(kind), name)


def test_classes_too(tmp_path, objects, classes, tmp_path_factory):
    model = bundle.load(classes)
    run = next(tmp_path_factory.getbasetemp().glob("classes*/run"))
    origins = bundled.__globals__["Origins"](f"{run}/model", "", "", "")
    known = predicted(predict_classes, origins, tmp_path)
    found = model.estimate(without_truth(objects.take(known["row_id"])), extinction_applied=False)
    for name in CLASSES:
        wanted = known[f"probability_{name}"].to_numpy().astype(np.float32)
        np.testing.assert_allclose(found[f"probability_{name}"].to_numpy(), wanted, atol=1e-7)


def covered(found, true):
    """Return how many objects of each class have it in their set, and how many there are."""
    sets = found["class_set_90"].to_pylist()
    inside = np.array([name in one.split("|") for one, name in zip(sets, true, strict=True)])
    return {name: (np.mean(inside[true == name]), np.sum(true == name)) for name in CLASSES}


def test_class_sets_hold_nine_in_ten_objects_of_each_class_whatever_the_mix(classes):
    new = sky(6000, seed=2)
    true = np.array(new["spec_class"].to_pylist())
    kept = (true != "GALAXY") | (np.arange(len(true)) % 4 == 0)  # another mix of classes
    held_out = json.loads((classes / "bundle.json").read_text())
    assert held_out["format"] == "1.1"
    for rows in (np.ones(len(true), bool), kept):
        given = without_truth(new.filter(pa.array(rows)))
        model = bundle.load(classes)
        found = model.estimate(given, extinction_applied=False)
        for share, n in covered(found, true[rows]).values():
            # calibration objects of a class: a tenth of those here; three standard errors
            assert abs(share - 0.9) < 3 * np.sqrt(0.09 * (10 / n + 1 / n)) + 0.01


def test_a_bundle_of_format_1_0_keeps_its_class_sets(tmp_path, objects, classes):
    manifest = json.loads((classes / "bundle.json").read_text())
    del manifest["class_thresholds"]
    manifest |= {"format": "1.0", "class_reach": {"0": 0.6}}
    old = bundle.load(changed(tmp_path, classes, "bundle.json", json.dumps(manifest).encode()))
    found = old.estimate(without_truth(objects.slice(0, 300)), extinction_applied=False)
    for row in found.to_pylist():
        likely = {name for name in CLASSES if row[f"probability_{name}"] >= 0.4 + 1e-6}
        assert likely | {row["class"]} <= set(row["class_set_90"].split("|"))
        assert len(row["class_set_90"].split("|")) <= len(likely | {row["class"]}) + 1


def test_assumed_priors_change_probabilities_by_bayes_and_no_class_set(objects, classes):
    model, given = bundle.load(classes), without_truth(objects.slice(0, 300))
    raw = model.estimate(given, extinction_applied=False)
    wanted = {"GALAXY": 0.001, "QSO": 0.001, "STAR": 0.998}
    found = model.estimate(given, extinction_applied=False, class_priors=wanted)
    ratio = {name: wanted[name] / model.manifest.class_priors[name] for name in CLASSES}
    weighted = {n: raw[f"probability_{n}"].to_numpy() * ratio[n] for n in CLASSES}
    for name in CLASSES:
        expected = weighted[name] / sum(weighted.values())
        np.testing.assert_allclose(found[f"probability_{name}"].to_numpy(), expected, atol=1e-6)
    assert found["class_set_90"].equals(raw["class_set_90"])
    share = [np.mean(np.array(one["class"].to_pylist()) == "STAR") for one in (raw, found)]
    assert share[1] > share[0]


def test_the_order_of_rows_and_the_rows_beside_one_change_nothing(objects, models):
    given = without_truth(objects.slice(0, 200))
    backwards = given.take(pa.array(np.arange(200)[::-1]))
    for model in models:
        one, other = (model.estimate(t, extinction_applied=False) for t in (given, backwards))
        same(one, other.take(pa.array(np.arange(200)[::-1])))
        same(one.slice(7, 1), model.estimate(given.slice(7, 1), extinction_applied=False))


def same(one, other, tolerance=2e-6):
    """Compare estimates: a product of float32 matrices rounds by the place of a row in it."""
    for name in one.column_names:
        if pa.types.is_floating(one[name].type):
            np.testing.assert_allclose(
                one[name].to_numpy(), other[name].to_numpy(), 0, tolerance, err_msg=name
            )
        else:
            assert one[name].equals(other[name]), name


def test_a_frame_gives_a_frame_and_no_rows_give_no_rows(objects, models):
    given = without_truth(objects.slice(0, 5))
    for model in models:
        found = model.estimate(given.to_pandas(), extinction_applied=False)
        assert isinstance(found, pd.DataFrame)
        assert list(found["objid"]) == given["objid"].to_pylist()
        nothing = model.estimate(given.slice(0, 0), extinction_applied=False)
        assert nothing.num_rows == 0
        assert nothing.schema.equals(model.estimate(given, extinction_applied=False).schema)


@pytest.mark.parametrize("kind", ["Int64", "object", "int64[pyarrow]"])
def test_ids_of_a_frame_keep_type_and_digits_beside_a_missing_one(objects, models, kind):
    given = without_truth(objects.slice(0, 3)).to_pandas()
    ids = [1237666087382222911, None, 1237666087382222913]
    given["objid"] = pd.Series(ids, dtype=kind)
    found = models[0].estimate(given, extinction_applied=False)["objid"]
    assert found.dtype == given["objid"].dtype
    assert [int(found[0]), int(found[2])] == [ids[0], ids[2]]
    assert pd.isna(found[1])


def test_folds_are_averaged(objects, folds_of_redshifts):
    model = bundle.load(folds_of_redshifts)
    given = objects.slice(0, 50)
    found = model.columns(given)
    each = []
    for fold in model.model.folds:
        alone = type(model.model)(model.model.names, "mean", [fold], np.empty(0))
        recipe = model.recipe_for(given)
        features = np.column_stack(list(bundle.measured_features(given, recipe).features.values()))
        each.append(alone.columns(features, np.full(50, 17, np.float32))["zphot_mean"])
    assert len(each) == 3
    np.testing.assert_allclose(found["zphot_mean"], np.mean(each, axis=0), atol=1e-4)


def test_what_is_missing_is_flagged_and_gets_no_number(objects, models):
    table = without_truth(objects.slice(0, 4))
    gone = pa.array([None, 17.0, float("nan"), 17.0], pa.float32())
    check_gone(table, gone, models)
    # what archives write where nothing was measured
    check_gone(table, pa.array([-9999.0, 17.0, np.inf, 17.0], pa.float32()), models)


def test_a_part_of_a_table_where_a_band_was_not_measured_is_not_refused(objects, models):
    table = without_truth(objects.slice(0, 4))
    for nothing in (-9999.0, np.inf):
        gone = pa.array([nothing] * 4, pa.float32())
        given = table.set_column(table.column_names.index("model_mag_u"), "model_mag_u", gone)
        for model in models:
            found = model.estimate(given, extinction_applied=False)
            assert found["missing_bands"].to_pylist() == ["u"] * 4


def test_a_band_without_its_extinction_is_flagged(objects, models):
    table = without_truth(objects.slice(0, 4))
    gone = pa.array([None, 0.1, -9999.0, 0.1], pa.float32())
    alone = table.drop_columns([f"extinction_{band}" for band in "ugiz"])
    for model in models:
        for given, name, bands in ((table, "extinction_u", "u"), (alone, "extinction_r", "ugriz")):
            changed = given.set_column(given.column_names.index(name), name, gone)
            found = model.estimate(changed, extinction_applied=False)
            assert found["missing_bands"].to_pylist() == [bands, "", bands, ""]
            corrected = model.estimate(changed, extinction_applied=True)
            assert set(corrected["missing_bands"].to_pylist()) == {""}


@pytest.mark.parametrize("kind", [pa.string(), pa.decimal128(9, 4), pa.float64()])
def test_what_is_missing_is_found_whatever_the_type_of_a_column(objects, models, kind):
    table = without_truth(objects.slice(0, 4))
    gone = [None, 17.0, -9999.0, 17.0]
    if pa.types.is_string(kind):
        gone = ["nan", "17.0", "-9999", "17"]
    elif pa.types.is_decimal(kind):
        gone = [None if value is None else Decimal(int(value)) for value in gone]
    check_gone(table, pa.array(gone, kind), models)


def check_gone(table, gone, models):
    table = table.set_column(table.column_names.index("model_mag_u"), "model_mag_u", gone)
    for model in models:
        found = model.estimate(table, extinction_applied=False)
        assert found["missing_bands"].to_pylist() == ["u", "", "u", ""]
        number = "zphot" if "zphot" in found.column_names else "probability_STAR"
        assert found[number].is_null().to_pylist() == [True, False, True, False]
        flag = "outside_training" if number == "zphot" else "class"
        assert found[flag].is_null().to_pylist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("change", "about", "words"),
    [
        (lambda t: t.drop_columns("model_mag_z"), {}, "needs the column 'model_mag_z'"),
        (lambda t: t, {"magnitude_system": "pogson"}, "trained on asinh magnitudes"),
        (lambda t: t, {"extinction_applied": None}, "state whether the magnitudes are corrected"),
        (
            lambda t: t.drop_columns([n for n in t.column_names if n.startswith("ext")]),
            {},
            "no extinction column",
        ),
        (
            lambda t: t.set_column(
                t.column_names.index("model_mag_g"),
                "model_mag_g",
                pa.array(np.geomspace(40, 4e4, len(t))),
            ),
            {},
            "fluxes",
        ),
        (lambda t: t, {"extinction_applied": "raw"}, "'raw', not True or False"),
        (
            lambda t: with_metadata(t, extinction_applied=True),
            {},
            "extinction_applied is False by your argument, but True in the metadata of the table",
        ),
        (
            lambda t: with_unit(t, "model_mag_g", "nanomaggy"),
            {},
            "model_mag_g must be in mag, but is in 'nanomaggy' in the table",
        ),
        (
            lambda t: with_unit(t, "extinction_r", "mmag"),
            {},
            "extinction_r must be in mag, but is in 'mmag' in the table",
        ),
        (
            lambda t: t.to_pandas().astype({"model_mag_u": ">f8"}),
            {},
            "the frame can't be converted .*column model_mag_u with type >f8",
        ),
        (lambda t: t.to_pydict(), {}, "give a pyarrow.Table or a pandas.DataFrame"),
        (lambda t: t.append_column("model_mag_u", t["model_mag_u"]), {}, "exists 2 times"),
        (
            lambda t: t.to_pandas().assign(model_mag_u="faint"),
            {},
            "model_mag_u is not a single column of numbers: .*'faint'",
        ),
    ],
)
def test_what_the_model_was_not_trained_on_is_refused(objects, models, change, about, words):
    given = change(without_truth(objects.slice(0, 20)))
    for model in models:
        with pytest.raises(BundleError, match=words):
            model.estimate(given, **{"extinction_applied": False, **about})


def with_unit(table, name, unit):
    place = table.column_names.index(name)
    return table.set_column(place, table.field(name).with_metadata({"unit": unit}), table[name])


def test_units_that_are_the_catalogue_s_are_taken(objects, models):
    given = without_truth(objects.slice(0, 5))
    stated = with_unit(with_unit(given, "model_mag_g", "AB mag"), "extinction_r", "--")
    for model in models:
        found = [model.estimate(table, extinction_applied=False) for table in (given, stated)]
        assert found[0].equals(found[1])


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"GALAXY": 0.5, "QSO": 0.5}, "class_priors.STAR: Field required"),
        ({"GALAXY": -1.0, "QSO": 1.0, "STAR": 1.0}, "class_priors.GALAXY: .*greater than 0"),
        ({"GALAXY": 0.5, "QSO": 0.2, "STAR": 0.2}, "sum to 0.9; they must sum to 1"),
    ],
)
def test_priors_that_are_no_mix_of_classes_are_refused(objects, classes, priors, words):
    given = without_truth(objects.slice(0, 5))
    with pytest.raises(BundleError, match=words):
        bundle.load(classes).estimate(given, extinction_applied=False, class_priors=priors)


def test_a_model_of_redshifts_takes_no_priors(objects, redshifts):
    given = without_truth(objects.slice(0, 5))
    with pytest.raises(BundleError, match="accepts no priors"):
        bundle.load(redshifts).estimate(
            given, extinction_applied=False, class_priors={"GALAXY": 1.0}
        )


def test_dereddened_magnitudes_are_taken_as_they_are(objects, redshifts):
    given = without_truth(objects.slice(0, 50))
    model = bundle.load(redshifts)
    raw = model.estimate(given, extinction_applied=False)
    for band in "ugriz":
        place = given.column_names.index(f"model_mag_{band}")
        values = given[f"model_mag_{band}"].to_numpy().astype(float)
        values -= given[f"extinction_{band}"].to_numpy()
        given = given.set_column(place, f"model_mag_{band}", pa.array(values))
    given = given.drop_columns([f"extinction_{band}" for band in "ugriz"])
    corrected = model.estimate(given, extinction_applied=True)
    np.testing.assert_allclose(corrected["zphot"], raw["zphot"], atol=1e-6)


def test_the_zip_file_and_the_folder_are_one(objects, redshifts):
    given = without_truth(objects.slice(0, 20))
    both = [bundle.load(path) for path in (redshifts, redshifts.with_suffix(".zip"))]
    one, other = (model.estimate(given, extinction_applied=False) for model in both)
    assert one.equals(other)


def test_equal_inputs_give_equal_bundles(tmp_path, ensemble, redshifts):
    again = bundled(tmp_path, ensemble, "regress", "zphot")
    assert again.with_suffix(".zip").read_bytes() == redshifts.with_suffix(".zip").read_bytes()


def changed(tmp_path, folder, name, content):
    """Return a copy of a bundle with one file changed, or taken away."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    if content is None:
        (copy / name).unlink()
    else:
        (copy / name).write_bytes(content)
    return copy


@pytest.mark.parametrize("content", [None, b"something else"])
@pytest.mark.parametrize("name", ["fold_0.safetensors", "calibration.json", "card.json"])
def test_a_file_that_is_missing_or_changed_is_refused(tmp_path, redshifts, name, content):
    with pytest.raises(BundleError, match=name):
        bundle.load(changed(tmp_path, redshifts, name, content))


def test_a_file_that_does_not_belong_is_refused(tmp_path, redshifts):
    with pytest.raises(BundleError, match="extra.pkl"):
        bundle.load(changed(tmp_path, redshifts, "extra.pkl", b"\x80\x04."))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", "2.0", "format 2.0; this version of sdssflow reads 1.x"),
        ("format", None, "format"),
        ("recipe", {"groups": ["zspec"]}, "recipe"),
        ("surprise", 1, "surprise"),
    ],
)
def test_a_manifest_of_another_format_is_refused(tmp_path, redshifts, key, value, words):
    manifest = json.loads((redshifts / "bundle.json").read_text())
    manifest[key] = value
    copy = changed(tmp_path, redshifts, "bundle.json", json.dumps(manifest).encode())
    with pytest.raises(BundleError, match=words) as caught:
        bundle.load(copy)
    assert "\n" not in str(caught.value)


def test_a_zip_bomb_and_a_path_outside_are_refused(tmp_path):
    for name, method in (("bundle.json", zipfile.ZIP_DEFLATED), ("../out", zipfile.ZIP_STORED)):
        path = tmp_path / "b.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, b"0" * 1000, method)
        with pytest.raises(BundleError, match="does not belong"):
            bundle.load(path)
    assert not (tmp_path.parent / "out").exists()


def test_no_bundle(tmp_path):
    with pytest.raises(FileNotFoundError, match="no bundle"):
        bundle.load(tmp_path)
    (tmp_path / "b.zip").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="damaged"):
        bundle.load(tmp_path / "b.zip")
