"""Learning curves: nested subsets, what is scored, and power laws of known numbers."""

import json

import measure_learning
import numpy as np
import plot_learning
import pyarrow as pa
import pytest

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.figures import Figures
from sdssflow.configuration.learning import LearningCurves
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.scores import ClassScores, RedshiftScores
from sdssflow.evaluate.learning import (
    EXPONENTS,
    Curve,
    fit_power_law,
    fit_row,
    nested_order,
    subset_sizes,
)
from sdssflow.prepare.parts import read_part
from sdssflow.tables import read_csv, with_metadata, write_parquet
from tests.jobs import run

FEATURES = ["color", "mag"]
SHARES = {"train": 0.6, "validation": 0.1, "calibration": 0.15, "test": 0.15}
MODELS = {
    "classify": {"logistic": {"kind": "logistic_regression"}},
    "regress": {"mean": {"kind": "mean"}, "linear": {"kind": "linear"}},
}


def split_tables(folder, seed, n=900, shares=SHARES):
    generator = np.random.default_rng(3)
    zspec = generator.uniform(0, 0.5, n)
    star = generator.random(n) < 0.4
    color = 2 * zspec + generator.normal(0, 0.1, n) - 3 * star
    parts = np.random.default_rng(seed).choice(list(shares), n, p=list(shares.values()))
    table = pa.table(
        {
            "row_id": np.arange(n),
            "group": [f"object_{row}" for row in range(n)],
            "spec_class": np.where(star, "STAR", "GALAXY").tolist(),
            "zspec": zspec,
            "reference_mag": pa.array(generator.uniform(15, 18, n), pa.float32()),
            "fold": pa.array(np.zeros(n), pa.int32()),
            "part": parts.tolist(),
            "color": color,
            "mag": generator.uniform(15, 18, n),
        }
    )
    about = {"sample": "s", "split": "random", "seed": seed, "features": FEATURES}
    for name, chosen in (("development", parts != "test"), ("test", parts == "test")):
        made = with_metadata(table.filter(pa.array(chosen)), **about, data_digest=f"d{seed}")
        write_parquet(made, folder / str(seed) / f"{name}.parquet")


def measure(folder, seeds=(1, 2), models=MODELS, **learning):
    files = {
        kind: [folder / str(seed) / f"{kind[:-1]}.parquet" for seed in seeds]
        for kind in ("developments", "tests")
    }
    named = {task: list(of) for task, of in models.items()}
    asked = LearningCurves(
        classifiers=named.get("classify", []), regressors=named.get("regress", []),
        **{"points": 5, "smallest": 40, **learning},
    )  # fmt: skip
    return run(
        measure_learning,
        files,
        {name: folder / f"{name}.csv" for name in ("curves", "fits")},
        seeds=list(seeds),
        models=json.dumps(models),
        learning=asked.canonical(),
        classes=ClassScores().canonical(),
        redshifts=RedshiftScores().canonical(),
        bootstrap=Bootstrap(replicates=30).canonical(),
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learning")
    for seed in (1, 2):
        split_tables(folder, seed)
    return folder, measure(folder)


def test_subsets_are_nested_and_another_seed_draws_others(measured):
    part = read_part(measured[0] / "1/development.parquet", 0, "train")
    order = nested_order(part, 1)
    assert sorted(order) == list(range(len(part)))
    assert order[:50].tolist() != nested_order(part, 2)[:50].tolist()
    turned = part.subset(np.arange(len(part))[::-1])
    chosen = part.row_id[order[:60]]
    assert turned.row_id[nested_order(turned, 1)[:60]].tolist() == chosen.tolist()
    assert subset_sizes(10, 100, 7).tolist() == [10]


def test_both_parts_are_scored_and_the_last_point_is_the_whole_training_part(measured):
    folder, output = measured
    curves = read_csv(output.curves)
    assert set(curves.part) == {"validation", "test"}
    assert set(curves.metric) == {"error_rate", "log_loss", "sigma_nmad", "rms"}
    available = min(len(read_part(folder / f"{s}/development.parquet", 0, "train")) for s in (1, 2))
    assert curves.objects.max() == available and curves.objects.min() == 40
    assert (curves.lower <= curves.upper).all()
    rows = curves[(curves.model == "linear") & (curves.metric == "rms") & (curves.part == "test")]
    assert rows.objects.is_monotonic_increasing and len(rows) == 5
    # by construction z is known from the colour to 0.05 for galaxies: the model can't do better
    mean = curves[(curves.model == "mean") & (curves.metric == "rms") & (curves.part == "test")]
    assert rows.value.iloc[-1] < mean.value.iloc[-1]


def test_the_last_point_is_what_the_pipeline_itself_scores(measured):
    """One seed: all of its training part is used, so the score is that of a plain fit."""
    folder, _ = measured
    other = folder / "one"
    split_tables(other, 1)
    curves = read_csv(measure(other, seeds=(1,), models={"regress": MODELS["regress"]}).curves)
    train, test = (
        read_part(other / f"1/{name}.parquet", 0, part)
        for name, part in (("development", "train"), ("test", "test"))
    )
    design = np.column_stack([np.ones(len(train)), train.features])
    slope = np.linalg.lstsq(design, train.zspec)[0]
    zphot = slope[0] + test.features @ slope[1:]
    expected = np.sqrt(np.mean(((zphot - test.zspec) / (1 + test.zspec)) ** 2))
    rows = curves[(curves.model == "linear") & (curves.metric == "rms") & (curves.part == "test")]
    assert rows.value.iloc[-1] == pytest.approx(expected, rel=1e-9)


def test_without_a_validation_part_only_the_test_part_is_scored(tmp_path):
    split_tables(tmp_path, 1, shares={"train": 0.7, "calibration": 0.1, "test": 0.2})
    curves = read_csv(measure(tmp_path, (1,), {"regress": {"mean": {"kind": "mean"}}}).curves)
    assert set(curves.part) == {"test"}


def test_too_small_a_subset_is_refused_in_one_line(tmp_path):
    split_tables(tmp_path, 1)
    path = tmp_path / "1/development.parquet"
    from sdssflow.tables import read_parquet

    table = read_parquet(path)
    galaxies = table.set_column(
        table.column_names.index("spec_class"), "spec_class",
        pa.array(["GALAXY"] * len(table)),
    )  # fmt: skip
    write_parquet(galaxies.replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(ValueError, match="only the class GALAXY"):
        measure(tmp_path, (1,), {"classify": MODELS["classify"]})


def test_power_laws_are_found_again():
    objects = np.geomspace(100, 8000, 7)
    known = np.array([[0.01, 0.8, 0.5], [0.0, 2.0, 0.3], [0.05, 30.0, 1.2]])
    values = np.stack([a + b * objects**-c for a, b, c in known])
    fits = fit_power_law(objects, values, np.full(7, 0.001))
    np.testing.assert_allclose(fits[:, 2], known[:, 2], rtol=0.02)
    np.testing.assert_allclose(fits[:, 0], known[:, 0], atol=0.003)
    twice = fits[:, 0] + fits[:, 1] * 16000.0 ** -fits[:, 2]
    np.testing.assert_allclose(twice, [a + b * 16000.0**-c for a, b, c in known], rtol=0.01)


def test_a_curve_that_does_not_fall_is_a_floor_and_nothing_is_negative():
    objects = np.geomspace(100, 8000, 7)
    values = np.stack([np.full(7, 0.2), np.linspace(0.1, 0.2, 7), np.full(7, np.nan)])
    fits = fit_power_law(objects, values, np.zeros(7))
    assert fits[0, 0] == pytest.approx(0.2) and fits[0, 1] == pytest.approx(0, abs=1e-9)
    assert fits[1, 0] == pytest.approx(0.15) and fits[1, 1] == 0
    assert np.isnan(fits[2]).all()


def test_intervals_cover_the_power_law_and_a_slow_one_says_so():
    generator = np.random.default_rng(2)
    objects = np.geomspace(100, 8000, 7)
    true = 0.02 + 0.6 * objects**-0.5
    covered = []
    for _ in range(40):
        noise = generator.normal(0, 0.002, (101, 7))
        values = true + noise[0]
        row = fit_row(Curve(objects, values, values + noise[1:]), 0.95)
        covered.append(row["at_twice_lower"] <= 0.02 + 0.6 * 16000**-0.5 <= row["at_twice_upper"])
    assert np.mean(covered) >= 0.8
    slow = 0.3 * objects**-0.02
    assert fit_row(Curve(objects, slow, np.tile(slow, (5, 1))), 0.95)["at_end"]
    assert EXPONENTS[0] == pytest.approx(0.05)
    short = fit_row(Curve(objects[:2], true[:2], np.tile(true[:2], (5, 1))), 0.95)
    assert np.isnan(short["exponent"]) and short["points"] == 2


def test_the_figure_is_drawn_and_the_same_job_gives_the_same_bytes(measured, tmp_path):
    folder, output = measured
    again = {name: output[name].read_bytes() for name in ("curves", "fits")}
    measure(folder)
    assert {name: output[name].read_bytes() for name in ("curves", "fits")} == again
    inputs = {name: output[name] for name in ("curves", "fits")}
    made = run(
        plot_learning,
        inputs,
        {"figure": tmp_path / "a.png"},
        title="s",
        settings=Figures().canonical(),
    )
    assert made.figure.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("learning", "message"),
    [
        ({"regressors": ["deep"]}, "'deep' is trained in torch"),
        ({"classifiers": ["vote"]}, "'vote' is a vote: name its members"),
        (
            {"classifiers": ["linear"]},
            "'linear' is not defined; known: forest, other, vote",
        ),
    ],
)
def test_a_model_that_has_no_such_curve_is_refused(learning, message):
    content = {
        "samples": ["mgs"], "seeds": [1],
        "classifiers": {
            "forest": {"kind": "random_forest"},
            "other": {"kind": "logistic_regression"},
            "vote": {"kind": "soft_vote", "members": ["forest", "other"]},
        },
        "regressors": {"linear": {"kind": "linear"}, "deep": {"kind": "network"}},
    }  # fmt: skip
    assert RunConfiguration.model_validate(content).learning_curves == LearningCurves()
    with pytest.raises(ValueError, match=message):
        RunConfiguration.model_validate({**content, "learning_curves": learning})
