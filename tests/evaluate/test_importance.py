"""Which features a model uses, where that is known, and the scripts that measure it."""

from types import SimpleNamespace

import explain_classes
import explain_redshifts
import numpy as np
import pytest
from matplotlib import pyplot as plt

from sdssflow.configuration import regressors
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.importance import Importance
from sdssflow.evaluate import importance
from sdssflow.evaluate.importance import (
    Probe,
    dependence_table,
    draw_tests,
    feature_groups,
    importance_table,
)
from sdssflow.evaluate.importance_figures import draw_importance, draw_partial_dependence
from sdssflow.tables import read_csv
from tests.evaluate import test_class_scripts
from tests.evaluate.test_class_scripts import split_tables, train
from tests.jobs import run
from tests.regress import galaxies
from tests.regress.calibrated import FOREST, calibrate
from tests.regress.calibrated import train as train_regressor

SETTINGS = Importance(rows=100, permutations=4, strongest=2, points=7)
BOOTSTRAP = Bootstrap(replicates=100)
SLOPES = np.array([2.0, 0.0, -0.5, 0.0, 0.1])


def loss_of_linear(features):
    return features @ SLOPES


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Two seeds of two folds of 80 galaxies, and a model that is linear in their features.

    The truth of each object is what the model says, so every loss before permutation is 0.
    """
    found = [galaxies.write_split(tmp_path, seed, folds=2) for seed in (1, 2)]
    tests = [test for _, test in found]
    monkeypatch.setattr(importance, "require_match", lambda *args: None)
    monkeypatch.setattr(importance, "open_folder", lambda folder: SimpleNamespace(card={}))

    def make_probe(folder, fold, part):
        truth = loss_of_linear(part.features)
        return Probe(
            "mae",
            lambda features: np.abs(
                loss_of_linear(features).reshape(-1, len(truth)) - truth
            ).ravel(),
            lambda features: {"zphot": loss_of_linear(features)},
        )

    return lambda settings=SETTINGS: draw_tests(
        ["a", "b"], tests, [1, 2], make_probe, settings, BOOTSTRAP
    )


def of_all(table, kind="feature"):
    return table[(table["seed"] == "all") & (table["kind"] == kind)].set_index("name")


def test_a_feature_that_the_model_ignores_has_no_importance_and_the_others_have_theirs(drawn):
    found = drawn()
    table = of_all(importance_table("m", found, 0.95))
    ignored = table.loc[["color_g_r", "color_i_z"], ["value", "lower", "upper"]]
    assert (ignored == 0).all(axis=None)
    assert (table["unpermuted"] == 0).all()
    used = table.loc[["color_u_g", "color_r_i", "mag_r"]]
    assert (used["lower"] > 0).all()
    for name, row in used.iterrows():
        # the mean distance of two values drawn at random, times the slope
        column = galaxies.NAMES.index(name)
        values = np.concatenate([its.features[:, column] for its in found.values()])
        apart = np.abs(values[:, None] - values).mean()
        assert row["value"] == pytest.approx(abs(SLOPES[column]) * apart, rel=0.15)
        assert row["lower"] < row["value"] < row["upper"]


def test_each_seed_has_its_rows_and_all_is_their_mean(drawn):
    table = importance_table("m", drawn(), 0.95)
    rows = table[(table["name"] == "color_u_g") & (table["kind"] == "feature")]
    assert list(rows["seed"]) == [1, 2, "all"]
    assert rows["value"].iloc[2] == pytest.approx(rows["value"].iloc[:2].mean())
    assert list(rows["n"]) == [100, 100, 100]
    assert rows["data_digest"].nunique() == 3


def test_the_same_seed_gives_the_same_objects_and_another_gives_others(drawn):
    first, again = (importance_table("m", drawn(), 0.95) for _ in range(2))
    assert first.equals(again)
    other = importance_table("m", drawn(SETTINGS.model_copy(update={"seed": 2})), 0.95)
    assert not other["value"].equals(first["value"])


def test_no_object_is_drawn_twice_and_all_if_there_are_fewer(drawn):
    found = drawn(SETTINGS.model_copy(update={"rows": 1000}))
    assert [[len(fold.part) for fold in its.folds] for its in found.values()] == [[80, 80]] * 2
    some = drawn()
    for seed, its in some.items():
        ids = np.concatenate([fold.part.row_id for fold in its.folds])
        assert len(set(ids)) == 100
        every = np.concatenate([fold.part.row_id for fold in found[seed].folds])
        assert set(ids) <= set(every)


def test_partial_dependence_on_a_linear_model_is_a_line_of_its_slope(drawn):
    found = drawn()
    measured = importance_table("m", found, 0.95)
    table = dependence_table("m", found, measured, SETTINGS, 0.95)
    assert list(table["feature"].unique()) == ["color_u_g", "color_r_i"]  # of largest growth
    assert table["rank"].tolist() == [1] * 7 + [2] * 7
    for name, rows in table.groupby("feature"):
        slope = np.diff(rows["value"]) / np.diff(rows["at"])
        np.testing.assert_allclose(slope, SLOPES[galaxies.NAMES.index(name)], rtol=1e-9)
        assert (rows["lower"] < rows["value"]).all()
        assert (rows["value"] < rows["upper"]).all()
    features = np.concatenate([its.features for its in found.values()])
    low, high = np.quantile(features[:, 0], (0.01, 0.99))
    first = table[table["rank"] == 1]["at"]
    assert (first.iloc[0], first.iloc[-1]) == pytest.approx((low, high))


def test_features_of_one_quantity_are_permuted_together_and_other_surveys_apart():
    names = ["model_color_ug", "model_color_gr", "model_mag_r", "model_color_rw1",
             "wise_color_w1w2", "wise_mag_not_detected_w1", "parallax"]  # fmt: skip
    assert feature_groups(names) == {
        "model_color": ["model_color_ug", "model_color_gr"],
        "model_mag": ["model_mag_r"],
        "beyond_ugriz": ["model_color_rw1", "wise_color_w1w2", "wise_mag_not_detected_w1"],
        "parallax": ["parallax"],
    }


def test_permuted_together_features_keep_what_they_say_of_each_other(drawn, monkeypatch):
    """A model of the difference of two equal columns never sees it change with the group."""
    monkeypatch.setattr(importance, "feature_groups", lambda names: {"pair": ["a", "b"]})
    generator = np.random.default_rng(3)
    values = generator.normal(size=60)
    part = galaxies.with_features(galaxies.part(60), np.column_stack([values, values]), ("a", "b"))
    probe = Probe("mae", lambda f: np.abs(f[:, 0] - f[:, 1]), lambda f: {"zphot": f[:, 0]})
    orders = tuple(generator.permutation(60) for _ in range(3))
    weights = np.ones((21, 60), np.uint8)
    found = {1: importance.Drawn((importance.DrawnFold(part, probe, orders),), weights, "d")}
    table = importance_table("m", found, 0.95)
    assert of_all(table, "group").loc["pair", "value"] == 0
    assert (of_all(table)["value"] > 0.5).all()


def explain(folder, names, seeds=(1, 2), **settings):
    outputs = {name: folder / f"{name}.csv" for name in ("importance", "dependence")}
    run(
        explain_classes,
        {
            "models": [folder / name / str(seed) for name in names for seed in seeds],
            "tests": [folder / str(seed) / "test.parquet" for seed in seeds],
        },
        outputs,
        models=list(names),
        seeds=list(seeds),
        settings=SETTINGS.model_copy(update=settings).canonical(),
        bootstrap=BOOTSTRAP.canonical(),
    )
    return [read_csv(path) for path in outputs.values()]


@pytest.fixture
def told_by_magnitude(monkeypatch):
    """Classes that nothing but the magnitude tells apart, without a doubt."""
    centres = {name: (1.0, 0.5, 15.0 + 8 * k) for k, name in enumerate(["QSO", "GALAXY", "STAR"])}
    monkeypatch.setattr(test_class_scripts, "CENTRES", centres)


def test_classifiers_of_all_kinds_use_what_tells_their_classes_apart(tmp_path, told_by_magnitude):
    names = ["logistic", "forest", "vote"]
    for seed in (1, 2):
        split_tables(tmp_path, seed)
        for name in names:
            train(tmp_path, name, seed)
    table, dependence = explain(tmp_path, names)
    assert list(table["model"].unique()) == names
    assert set(table["score"]) == {"log_loss"}
    for name in names:
        rows = of_all(table[table["model"] == name])
        assert rows.loc["mag_r", "lower"] > 1
        others = rows.loc[["u_g", "g_r"]]
        assert (others["value"].abs() < 0.01 * rows.loc["mag_r", "value"]).all()
        first = dependence[(dependence["model"] == name) & (dependence["rank"] == 1)]
        assert set(first["feature"]) == {"mag_r"}
        of_class = first.pivot(index="at", columns="output", values="value")
        np.testing.assert_allclose(of_class.sum(axis=1), 1, atol=1e-9)
        assert list(of_class.idxmax(axis=1).iloc[[0, -1]]) == ["QSO", "STAR"]
        assert of_class["STAR"].iloc[-1] - of_class["STAR"].iloc[0] > 0.5


def test_a_classifier_of_shuffled_classes_needs_no_feature(tmp_path):
    split_tables(tmp_path, 1, shuffled=True)
    train(tmp_path, "logistic", 1)
    table, _ = explain(tmp_path, ["logistic"], seeds=[1])
    rows = of_all(table)
    assert (rows["lower"] < 0.01).all()
    assert (rows["value"].abs() < 0.02).all()


def test_a_model_of_another_split_is_refused(tmp_path):
    split_tables(tmp_path, 1)
    split_tables(tmp_path, 2)
    train(tmp_path, "logistic", 1)
    (tmp_path / "logistic/1").rename(tmp_path / "logistic/2")
    with pytest.raises(ValueError, match="logistic/2 has seed 1, not 2"):
        explain(tmp_path, ["logistic"], seeds=[2])


def explain_regressor(folder, settings, **options):
    development, test = galaxies.write_split(folder, 1, **options)
    model = train_regressor(development, folder / "model", settings)
    inputs = {"models": [model], "tests": [test], "densities": []}
    inputs |= {"calibrations": [], "references": []}
    if settings.gives_pdf:
        calibration, reference = calibrate(model, development, folder / "calibration")
        inputs |= {"densities": [model], "calibrations": [calibration], "references": [reference]}
    outputs = {name: folder / f"{name}.csv" for name in ("importance", "dependence")}
    run(
        explain_redshifts, inputs, outputs, models=["some"], seeds=[1],
        settings=SETTINGS.canonical(), bootstrap=BOOTSTRAP.canonical(),
    )  # fmt: skip
    return [read_csv(path) for path in outputs.values()]


@pytest.mark.parametrize(
    ("settings", "score"),
    [(regressors.LinearRegression(kind="linear"), "mae"), (FOREST, "crps")],
    ids=["linear", "forest"],
)
def test_regressors_with_and_without_densities_are_explained(settings, score, tmp_path):
    table, dependence = explain_regressor(tmp_path, settings, folds=2)
    assert set(table["score"]) == {score}
    rows = of_all(table)
    assert (rows.loc["mag_r", "lower"] > 0) or (rows.loc["color_r_i", "lower"] > 0)
    ends = ["value", "lower", "upper"]
    alone, group = rows.loc["mag_r", ends], of_all(table, "group").loc["mag", ends]
    assert list(alone) == list(group)
    assert (of_all(table, "group")["value"] > -0.01).all()
    curve = dependence[dependence["rank"] == 1]
    if score == "mae":
        slope = np.diff(curve["value"]) / np.diff(curve["at"])
        # two folds, two lines: their mean is a line
        np.testing.assert_allclose(slope, slope[0], rtol=1e-6)
    assert curve["value"].between(0, 0.4).all()


def test_a_pdf_model_without_its_own_calibration_is_refused(tmp_path):
    development, test = galaxies.write_split(tmp_path, 1)
    model = train_regressor(development, tmp_path / "model", FOREST)
    other = train_regressor(
        development, tmp_path / "other", FOREST.model_copy(update={"trees": 10}), seed=2
    )
    files = calibrate(other, development, tmp_path / "calibration", seed=2)
    inputs = {"models": [model], "tests": [test], "densities": [model],
              "calibrations": [files[0]], "references": [files[1]]}  # fmt: skip
    with pytest.raises(ValueError, match=r"the calibration is that of model 'some', seed 2"):
        run(
            explain_redshifts, inputs,
            {name: tmp_path / f"{name}.csv" for name in ("importance", "dependence")},
            models=["some"], seeds=[1], settings=SETTINGS.canonical(),
            bootstrap=BOOTSTRAP.canonical(),
        )  # fmt: skip


def test_figures_show_every_model_and_feature(drawn):
    found = drawn()
    table = importance_table("m", found, 0.95)
    dependence = dependence_table("m", found, table, SETTINGS, 0.95)
    figure = draw_importance(table)
    (axis,) = figure.axes
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels[:3] == ["color_u_g", "color_r_i", "mag_r"]
    assert set(labels) == set(table["name"])
    assert axis.get_xlabel() == "increase of the mean absolute error"
    figure = draw_partial_dependence(dependence)
    assert [axis.get_xlabel() for axis in figure.axes] == ["color_u_g", "color_r_i"]
    (line,) = figure.axes[0].get_lines()
    np.testing.assert_allclose(line.get_ydata(), dependence[dependence["rank"] == 1]["value"])
    plt.close("all")


def some_drawn(generator, n, model, permutations=5, replicates=200):
    """Return objects with one feature, drawn at random, and what a model without error says."""
    values = generator.exponential(size=(n, 1))
    part = galaxies.with_features(galaxies.part(n), values, ("x",))
    truth = model(values[:, 0])
    probe = Probe(
        "mae", lambda f: np.abs(model(f[:, 0]) - np.tile(truth, len(f) // n)), lambda f: {"z": f}
    )
    orders = tuple(generator.permutation(n) for _ in range(permutations))
    counts = generator.poisson(1.0, (replicates, n)).astype(np.uint8)
    weights = np.vstack([np.ones((1, n), np.uint8), counts])
    return importance.Drawn((importance.DrawnFold(part, probe, orders),), weights, "d")


def test_intervals_hold_what_other_objects_would_give_as_often_as_they_promise():
    """The mean distance of two values of an exponential distribution is 1."""
    generator = np.random.default_rng(8)
    tables = [
        of_all(importance_table("m", {1: some_drawn(generator, 150, lambda x: x)}, 0.9))
        for _ in range(200)
    ]
    rows = [table.loc["x"] for table in tables]
    assert np.mean([row["value"] for row in rows]) == pytest.approx(1, abs=0.03)
    covered = np.mean([row["lower"] < 1 < row["upper"] for row in rows])
    assert 0.84 < covered < 0.95


def test_missing_features_are_permuted_as_they_are_and_never_a_value_to_look_at():
    """A model that says 1 where a feature is missing: in half of the objects, the other in all."""
    n = 100
    features = np.column_stack([np.where(np.arange(n) % 2, np.nan, 3.0), np.full(n, np.nan)])
    part = galaxies.with_features(galaxies.part(n), features, ("x", "nothing"))

    def says(given):
        return np.isnan(given[:, 0]).astype(float)

    truth = says(features)
    probe = Probe(
        "mae", lambda f: np.abs(says(f) - np.tile(truth, len(f) // n)), lambda f: {"z": says(f)}
    )
    orders = tuple(np.random.default_rng(seed).permutation(n) for seed in range(4))
    fold = importance.DrawnFold(part, probe, orders)
    found = {1: importance.Drawn((fold,), np.ones((21, n), np.uint8), "d")}
    table = importance_table("m", found, 0.95)
    assert of_all(table).loc["x", "value"] == pytest.approx(0.5, abs=0.1)
    assert of_all(table).loc["nothing", "value"] == 0
    dependence = dependence_table("m", found, table, SETTINGS, 0.95)
    assert dependence[["feature", "at", "value"]].to_numpy().tolist() == [["x", 3.0, 0.0]]
