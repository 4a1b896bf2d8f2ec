"""Estimates against a simulated truth, and how far a target lies from the training part."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import score_estimates

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.estimate.comparison import TABLE_COLUMNS as SHIFT_COLUMNS
from sdssflow.estimate.comparison import compare_target
from sdssflow.estimate.truth import CLASS_SET, TABLE_COLUMNS, read_scored, truth_scores
from sdssflow.tables import with_metadata, write_parquet
from tests.jobs import run

BOOTSTRAP = Bootstrap(replicates=50)
SETTINGS = ClassScores(), BOOTSTRAP
SIGMA = 0.02


def truth_table(n, seed=1):
    """Return the truth of n objects; two in three are galaxies, stars have no redshift."""
    generator = np.random.default_rng(seed)
    classes = np.array([*CLASSES[:1], *CLASSES])[generator.integers(0, 4, n)]
    zspec = np.where(classes == "STAR", np.nan, generator.uniform(0.05, 0.4, n))
    return pa.table(
        {
            "objid": generator.permutation(n) + 10**18,
            "spec_class": classes,
            "zspec": pa.array(zspec, from_pandas=True),
        }
    )


def estimates_of(truth, seed=2, right=0.8):
    """Return estimates: `right` of the classes are right, p(z) are Gaussians that are right."""
    generator = np.random.default_rng(seed)
    n = len(truth)
    code = np.array([CLASSES.index(name) for name in truth["spec_class"].to_pylist()])
    hit = generator.uniform(size=n) < right
    code = np.where(hit, code, (code + 1) % 3)
    probability = np.where(np.arange(3) == code[:, None], 0.8, 0.1).astype(np.float32)
    zspec = np.nan_to_num(truth["zspec"].to_numpy(), nan=0.2)
    zphot = zspec + generator.normal(0, SIGMA, n)
    columns = {"row_id": np.arange(n), "objid": truth["objid"]}
    columns |= {"class": np.array(CLASSES)[code]}
    columns |= {f"probability_{name}": probability[:, k] for k, name in enumerate(CLASSES)}
    pairs = ["|".join(c for c in CLASSES if c in (CLASSES[k], CLASSES[(k + 2) % 3])) for k in code]
    columns |= {CLASS_SET: pairs, "zphot": zphot.astype(np.float32)}
    for kind in ("z", "conformal"):
        for level, reach in ((68, 1.0), (95, 1.96)):
            for end, sign in (("low", -1), ("high", 1)):
                values = (zphot + sign * reach * SIGMA).astype(np.float32)
                columns[f"{kind}_{end}_{level}"] = values
    return pa.table(columns)


@pytest.fixture
def files(tmp_path):
    """Three partitions, of which the second was set aside, and the truth in another order."""
    truth = truth_table(3000)
    estimates = with_metadata(estimates_of(truth), bundles=["a", "b"])
    paths = [tmp_path / f"{k}.parquet" for k in range(3)]
    write_parquet(estimates.slice(0, 1800), paths[0])
    write_parquet(pa.table({"row_id": pa.array([], pa.int64())}), paths[1])
    write_parquet(estimates.slice(1800), paths[2])
    more = pa.concat_tables([truth, truth_table(50).set_column(0, "objid", pa.array(range(50)))])
    order = np.random.default_rng(5).permutation(len(more))
    write_parquet(more.take(order), tmp_path / "truth.parquet")
    return paths, [1800, 0, 1200], tmp_path / "truth.parquet"


def value(table, metric, column="value"):
    (found,) = table.loc[table["metric"] == metric, column]
    return found


def test_objects_are_found_in_the_truth_by_objid(files):
    paths, kept, path = files
    scored = read_scored(paths, kept, path)
    truth = truth_table(3000).to_pandas()
    assert scored.estimates["objid"].to_pylist() == truth["objid"].tolist()
    assert scored.spec_class.tolist() == truth["spec_class"].tolist()
    assert np.array_equal(scored.zspec, truth["zspec"], equal_nan=True)
    assert scored.objects == 3000
    assert scored.bundles == ["a", "b"]


def test_scores_are_those_of_the_made_up_estimates(files):
    table = truth_scores(read_scored(*files), *SETTINGS)
    assert list(table) == TABLE_COLUMNS
    assert value(table, "accuracy") == pytest.approx(0.8, abs=0.03)
    loss = -0.8 * np.log(0.8) - 0.2 * np.log(0.1)
    assert value(table, "log_loss") == pytest.approx(loss, abs=0.06)
    # the set holds the most probable class and the one before it: always the true one
    of_sets = table[table["metric"].str.startswith(CLASS_SET)]
    assert set(of_sets["subset"]) == {"all", *CLASSES}
    assert set(of_sets.loc[of_sets["metric"] == CLASS_SET, "value"]) == {1}
    assert set(of_sets.loc[of_sets["metric"] == f"{CLASS_SET}_size", "value"]) == {2}
    assert set(of_sets.loc[of_sets["metric"] == f"{CLASS_SET}_empty", "value"]) == {0}
    expected = SIGMA / 1.225
    assert value(table, "sigma_nmad") == pytest.approx(expected, rel=0.1)
    assert value(table, "outlier_0.15") == 0
    for kind in ("coverage", "conformal"):
        for level in (68, 95):
            assert value(table, f"{kind}_{level}") == pytest.approx(level / 100, abs=0.03)
    galaxies = sum(name == "GALAXY" for name in truth_table(3000)["spec_class"].to_pylist())
    of_galaxies = table[table["subset"] == "GALAXY"]
    assert set(of_galaxies["n"]) == {galaxies}
    assert set(of_galaxies["metric"]) >= {"sigma_nmad", "outlier_0.15", "coverage_68"}
    assert set(table.loc[table["subset"] == "all", "n"]) == {3000}
    same = table["metric"] == f"{CLASS_SET}_size"  # of every object: there is no interval
    assert table.loc[same, ["lower", "upper"]].isna().all(axis=None)
    inside = (table["lower"] <= table["value"]) & (table["value"] <= table["upper"])
    assert inside[~same].all()
    assert (table["lower"] < table["upper"])[~same].all()


def test_macro_f1_is_that_of_scikit_learn(files):
    from sklearn.metrics import f1_score

    scored = read_scored(*files)
    expected = f1_score(scored.spec_class, scored.estimates["class"].to_pylist(), average="macro")
    table = truth_scores(scored, *SETTINGS)
    assert value(table, "macro_f1") == pytest.approx(expected, abs=1e-12)


def test_at_most_so_many_are_scored_and_the_table_says_of_how_many(files):
    scored = read_scored(*files, most=2000)
    table = truth_scores(scored, *SETTINGS)
    assert set(table["scored"]) == {2000}
    assert set(table["objects"]) == {3000}
    first = truth_table(3000)["objid"].to_pylist()[:2000]
    assert scored.estimates["objid"].to_pylist() == first


def test_only_what_the_models_give_is_scored(files):
    paths, _, path = files
    table = pa.parquet.read_table(paths[0])
    for dropped, missing, there in (
        ("class", "accuracy", "sigma_nmad"),
        ("zphot", "sigma_nmad", "accuracy"),
    ):
        write_parquet(table.drop_columns(dropped), paths[1])
        found = truth_scores(read_scored([paths[1]], [1800], path), *SETTINGS)
        assert missing not in set(found["metric"])
        assert there in set(found["metric"])


def test_objects_without_estimate_do_not_count(files):
    paths, _, path = files
    table = pa.parquet.read_table(paths[0])
    known = pa.array(np.arange(1800) < 600)
    for name in ("class", "zphot", CLASS_SET):
        values = pa.compute.if_else(known, table[name], pa.scalar(None, table[name].type))
        table = table.set_column(table.column_names.index(name), name, values)
    write_parquet(table, paths[0])
    found = truth_scores(read_scored(paths[:1], [1800], path), *SETTINGS)
    assert value(found, "accuracy", "n") == 600
    assert value(found, "sigma_nmad", "n") < 600
    assert value(found, "accuracy") == pytest.approx(0.8, abs=0.06)


def test_an_object_without_truth_is_named(files, tmp_path):
    paths, kept, path = files
    truth = pa.parquet.read_table(path)
    objid = truth_table(3000)["objid"][7].as_py()
    kept_rows = pa.compute.not_equal(truth["objid"], objid)
    write_parquet(truth.filter(kept_rows), tmp_path / "less.parquet")
    with pytest.raises(ValueError, match=f"less.parquet: objid {objid} occurs 0 times"):
        read_scored(paths, kept, tmp_path / "less.parquet")
    write_parquet(pa.concat_tables([truth, truth]), tmp_path / "twice.parquet")
    with pytest.raises(ValueError, match="2 times"):
        read_scored(paths, kept, tmp_path / "twice.parquet")


def test_estimates_without_objid_can_not_be_scored(files):
    paths, kept, path = files
    write_parquet(pa.parquet.read_table(paths[0]).drop_columns("objid"), paths[0])
    with pytest.raises(ValueError, match="no objid"):
        read_scored(paths, kept, path)
    with pytest.raises(ValueError, match="no partition"):
        read_scored(paths, [0, 0, 0], path)


def test_the_script_writes_the_table(files, tmp_path):
    paths, kept, path = files
    pd.DataFrame({"partition": list("abc"), "kept": kept}).to_csv(tmp_path / "p.csv", index=False)
    inputs = {"partitions": tmp_path / "p.csv", "estimates": paths, "truth": path}
    names = ("classes", "bootstrap")
    params = {name: its.canonical() for name, its in zip(names, SETTINGS, strict=True)}
    run(score_estimates, inputs, {"scores": tmp_path / "scores.csv"}, **params)
    table = pd.read_csv(tmp_path / "scores.csv")
    assert list(table) == TABLE_COLUMNS
    assert set(table["model"]) == {"a, b"}


def compared(tmp_path, shift, n=600):
    """Compare colours that are shifted from those of the training part, which has two folds."""
    generator = np.random.default_rng(3)
    reference = {"fold": np.repeat([0, 1], 400)}
    reference |= {name: generator.normal(size=800) for name in ("color_ug", "color_gr")}
    write_parquet(pa.table(reference), tmp_path / "reference.parquet")
    drawn = {f"regress:{name}": generator.normal(shift, 1, n) for name in ("color_gr", "color_ug")}
    drawn["zphot"] = pa.array([0.1] * (n - 100) + [None] * 100)
    bundle = SimpleNamespace(
        folder=SimpleNamespace(path=tmp_path), manifest=SimpleNamespace(name="m")
    )
    numbers = [{"with_zphot": 900, "outside_training": 90}, {}, {"with_zphot": 100}]
    summaries = [{"numbers": json.loads(json.dumps(found))} for found in numbers]
    return compare_target(bundle, pa.table(drawn), summaries, neighbours=20)


def test_a_target_like_the_training_part_is_not_told_apart(tmp_path):
    table = compared(tmp_path, 0.0)
    assert list(table) == SHIFT_COLUMNS
    assert table["fold"].tolist() == [0, 1]
    assert table["reference"].tolist() == [400, 400]
    assert table["drawn"].tolist() == [500, 500]  # those with a redshift
    assert table["outside_training"].tolist() == [0.09, 0.09]
    assert (abs(table["auc"] - 0.5) < 0.07).all()
    assert (table["effective_n"] > 250).all()


def test_the_farther_the_target_the_better_it_is_told_apart(tmp_path):
    near, far = compared(tmp_path, 0.5), compared(tmp_path, 2.0)
    assert (far["auc"] > near["auc"] + 0.1).all()
    assert (far["auc"] > 0.95).all()
    assert (far["effective_n"] < near["effective_n"] / 2).all()


def test_where_every_partition_was_set_aside_nothing_is_said(tmp_path):
    compared(tmp_path, 0.0)
    bundle = SimpleNamespace(
        folder=SimpleNamespace(path=tmp_path), manifest=SimpleNamespace(name="m")
    )
    nothing = pa.table({"partition": pa.array([], pa.int32())})
    table = compare_target(bundle, nothing, [{"numbers": {}}], 20)
    assert table["drawn"].tolist() == [0, 0]
    assert table[["outside_training", "auc", "effective_n"]].isna().all(axis=None)
