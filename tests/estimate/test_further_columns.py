"""Bundles of models that see columns beyond ugriz, applied to rows without truth."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sdssflow import bundle
from sdssflow.acquire.schema import Column, field
from sdssflow.bundle import BundleError
from sdssflow.configuration import classifiers
from sdssflow.configuration.features import Features
from sdssflow.configuration.sources import FileSource
from sdssflow.configuration.targets import AppliedModel, Target
from sdssflow.estimate import command
from sdssflow.estimate.given_tables import as_catalogue
from sdssflow.estimate.partitions import Partition
from sdssflow.estimate.streaming import estimate_partition
from sdssflow.prepare.features import build_features
from sdssflow.tables import metadata
from tests.estimate.conftest import HOLDOUT, bundled, sky, train, without_truth

RECIPE = Features(groups=["colors", "wise_colors", "extra"], extra=["parallax"])
PARALLAX = Column(pa.float64(), "mas", -10.0, 1000.0, "a parallax", "not_detected")


def with_more(table):
    """Return a catalogue with magnitudes of WISE, some of them limits, and a declared column."""
    n, draw = table.num_rows, np.random.default_rng(4)
    r = table["model_mag_r"].to_numpy()
    unseen, limit = draw.random(n) < 0.3, draw.random(n) < 0.2
    columns = {}
    for k in (1, 2, 3, 4):
        columns[f"wise_mag_w{k}"] = np.where(unseen, np.nan, r - 2 - k + draw.normal(0, 0.1, n))
        columns[f"wise_mag_err_w{k}"] = np.where(unseen | limit, np.nan, 0.1)
    columns["parallax"] = np.where(draw.random(n) < 0.5, np.nan, draw.exponential(1, n))
    for name, values in columns.items():
        table = table.append_column(
            field(name, {"parallax": PARALLAX}) if name == "parallax" else field(name),
            pa.array(values, from_pandas=True).cast(
                pa.float64() if name == "parallax" else pa.float32()
            ),
        )
    return table


@pytest.fixture(scope="module")
def objects():
    return with_more(sky(900, seed=6))


@pytest.fixture(scope="module")
def path(tmp_path_factory, objects):
    """Folder of the bundle of boosted trees."""
    place = tmp_path_factory.mktemp("further")
    settings = classifiers.GradientBoostingClassifier(kind="gradient_boosting", iterations=5)
    return bundled(
        place, train(place / "run", objects, settings, HOLDOUT, RECIPE), "classify", "wise", RECIPE
    )


@pytest.fixture(scope="module")
def model(path):
    return bundle.load(path)


def bare(table):
    """Return a table whose fields say nothing."""
    given = without_truth(table)
    return pa.table({name: given[name] for name in given.column_names})


def test_the_manifest_says_what_was_declared(model):
    declared = model.manifest.declared["parallax"]
    assert (declared.unit, declared.missing, declared.maximum) == ("mas", "not_detected", 1000.0)
    assert list(model.manifest.declared) == ["parallax"]
    assert {"wise_mag_w1", "wise_mag_err_w1", "parallax"} < set(model.manifest.columns)


def test_rows_without_truth_get_the_features_of_training(model, objects):
    built = build_features(objects, RECIPE)
    found = model.measured(bare(objects)).features
    assert list(found) == metadata(built.schema)["features"]
    assert any(name.endswith("not_detected_w4") for name in found)
    for name, values in found.items():
        np.testing.assert_array_equal(values, built[name].to_numpy())


def test_a_bare_table_is_estimated_and_says_which_bands_it_lacks(model, objects):
    found = model.estimate(bare(objects), extinction_applied=False)
    lacking = np.array(found["missing_bands"].to_pylist())
    assert set(lacking) == {"", "w1w2w3w4"}
    # what is a limit is no magnitude either
    assert ((lacking == "") == objects["wise_mag_err_w1"].is_valid().to_numpy()).all()
    assert found["class"].null_count == 0  # trees take what is missing


def test_what_archives_write_where_nothing_was_measured_is_missing_in_any_column():
    without_range = Column(pa.float64(), "", None, None, "a ratio", "not_observed")
    given = pa.table({"ratio": pa.array([-9999, 5000], pa.int32())})
    stated = {"extinction_applied": True, "magnitude_system": None}
    found = as_catalogue(given, {"ratio": without_range}, stated)
    assert found["ratio"].to_pylist() == [None, 5000]


def test_a_column_with_an_impossible_value_is_still_asked_for_its_unit(model, objects):
    place, values = objects.column_names.index("parallax"), objects["parallax"].to_pylist()
    said = field("parallax", {"parallax": PARALLAX._replace(missing="not_observed")})
    given = without_truth(objects).set_column(
        place - 3, said, pa.array([5000.0, *values[1:]], pa.float64())
    )
    assert given.column_names[place - 3] == "parallax"
    with pytest.raises(BundleError, match="trained on 'parallax' in mas, missing where not_"):
        model.estimate(given, extinction_applied=False)


@pytest.mark.parametrize("name", ["parallax", "wise_mag_w3", "wise_mag_err_w3"])
def test_a_table_without_a_column_is_refused_in_one_line(model, objects, name):
    with pytest.raises(BundleError, match=f"model wise needs the column '{name}'") as caught:
        model.estimate(bare(objects).drop_columns(name), extinction_applied=False)
    assert "\n" not in str(caught.value)


def test_a_column_of_another_unit_or_meaning_is_refused(model, objects):
    for change in ({"unit": "arcsec"}, {"missing": "not_observed"}):
        other = PARALLAX._replace(**change)
        place = objects.column_names.index("parallax")
        said = field("parallax", {"parallax": other})
        given = objects.set_column(place, said, objects["parallax"])
        with pytest.raises(BundleError, match="trained on 'parallax' in mas, missing where not_"):
            model.columns(given)


def test_columns_that_training_lacked_change_nothing(tmp_path, objects):
    """Without errors in training limits passed for magnitudes, so they do here."""
    recipe = Features(groups=["colors", "wise_colors"])
    errors = [f"wise_mag_err_w{k}" for k in (1, 2, 3, 4)]
    settings = classifiers.DummyClassifier(kind="dummy")
    origins = train(tmp_path / "run", objects.drop_columns(errors), settings, HOLDOUT, recipe)
    model = bundle.load(bundled(tmp_path, origins, "classify", "plain", recipe))
    found = model.measured(objects).features
    assert not any("not_detected" in name for name in found)
    assert np.isnan(found["wise_color_w3w4"]).sum() == objects["wise_mag_w4"].null_count


def target_of(path, table, **changes):
    pq.write_table(table, path)
    columns = {name: name for name in table.column_names}
    declared = {
        "parallax": {
            "unit": "mas", "minimum": -10.0, "maximum": 1000.0, "missing": "not_detected",
            "meaning": "a parallax",
        }
    }  # fmt: skip
    content = {"kind": "file", "path": str(path), "columns": columns, "declared": declared}
    source = FileSource.model_validate(content | changes)
    return Target(title="-", source=source, models=[AppliedModel(bundle="-")])


def test_a_file_of_a_target_declares_its_columns(tmp_path, model, objects):
    given = bare(objects)
    target = target_of(tmp_path / "t.parquet", given)
    partition = Partition(str(tmp_path / "t.parquet"), 0, 1)
    out = tmp_path / "e.parquet"
    made = estimate_partition(target, "some", partition, [model], out)
    expected = model.estimate(given, extinction_applied=False)
    found = pq.read_table(out)
    assert found["class"].equals(expected["class"])
    numbers = made.counts.content()["numbers"]
    assert numbers["missing_w2"] == objects["wise_mag_err_w2"].null_count


def test_the_command_maps_columns_of_wise_by_the_names_of_wise(tmp_path, path, objects, capsys):
    names = {f"wise_mag_w{k}": f"w{k}mpro" for k in (1, 2, 3, 4)}
    names |= {f"wise_mag_err_w{k}": f"w{k}sigmpro" for k in (1, 2, 3, 4)}
    given = bare(objects)
    renamed = given.rename_columns([names.get(name, name) for name in given.column_names])
    pq.write_table(renamed, tmp_path / "mine.parquet")
    out = str(tmp_path / "e.parquet")
    command.main([str(tmp_path / "mine.parquet"), str(path), "--output", out])
    assert "w3sigmpro" in capsys.readouterr().out
    assert pq.read_table(out).num_rows == objects.num_rows
