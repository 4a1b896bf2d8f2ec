"""Splits side by side: whose objects a difference is drawn over, and what its interval covers."""

import json

import compare_splits as script
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores, RedshiftScores
from sdssflow.configuration.splits import HoldoutSplit
from sdssflow.evaluate import class_metrics, redshifts
from sdssflow.evaluate.pdf_metrics import SCORER
from sdssflow.evaluate.split_comparison import COLUMNS, base_of, compare_splits
from sdssflow.evaluate.tables import Predictions, counts_by_seed, score_rows
from sdssflow.tables import read_csv, with_metadata, write_csv, write_parquet
from tests.evaluate.pdf_predictions import gaussian_columns
from tests.jobs import run

PER_PLATE, PLATES = 20, 60
SPLITS = {
    name: HoldoutSplit(kind="holdout", group=group)
    for name, group in (("plate", "plate"), ("random", "object"))
}
SETTINGS = RedshiftScores()
BOOTSTRAP = Bootstrap(replicates=100)


def features(n=PER_PLATE * PLATES):
    rows = np.arange(n)
    return pa.table(
        {
            "row_id": rows,
            "object_key": [f"object_{row}" for row in rows],
            "plate": pa.array(rows // PER_PLATE, pa.int32()),
        }
    )


def predictions(rows, split, seed=1, scatter_of_plates=0.0, shift=0.0, model="m"):
    """Redshifts of these objects, whose errors have a part that a plate shares."""
    generator = np.random.default_rng(seed)
    n = PER_PLATE * PLATES
    error = 0.02 * generator.standard_normal(n)
    error *= np.exp(scatter_of_plates * generator.standard_normal(PLATES))[
        np.arange(n) // PER_PLATE
    ]
    zspec = generator.uniform(0.1, 0.3, n)
    keys = rows // PER_PLATE if split == "plate" else rows
    frame = pd.DataFrame(
        {
            "row_id": rows,
            "seed": 1,
            "fold": 0,
            "group": [f"{split}:{key}" for key in keys],
            "reference_mag": 17.0,
            "zspec": zspec[rows],
            "zphot": (zspec + error * (1 + shift) * (1 + zspec))[rows],
        }
    )
    return Predictions(model, frame, {1: f"digest of {split}"})


def score_table(some, scorer, bootstrap=BOOTSTRAP):
    """The rows of seed `all` of a score table, without those of other metrics."""
    metrics = tuple(metric for metric in scorer.metrics if metric.across_splits)
    counts = counts_by_seed(some, bootstrap)[1]
    rows = []
    for one in some:
        score = scorer.score(scorer.columns(one, 1), counts, metrics)
        about = {"model": one.model, "seed": "all"}
        rows += score_rows(score, bootstrap.level, about, {}, one.test_digests[1])
    return pd.DataFrame(rows)


def compared(by_split, bootstrap=BOOTSTRAP, splits=SPLITS):
    scorer = redshifts.scorer(SETTINGS)
    scores = {split: score_table(some, scorer, bootstrap) for split, some in by_split.items()}
    about = (features(), splits, by_split, scores, scorer, bootstrap, "regress")
    return compare_splits(*about), scores


def of(table, split, metric, model="m"):
    rows = table[(table.split == split) & (table.metric == metric) & (table.model == model)]
    return rows.iloc[0]


EVERY = np.arange(PER_PLATE * PLATES)


def test_values_are_those_of_the_score_tables_and_the_base_has_no_difference():
    some, others = EVERY[::5], EVERY[EVERY // PER_PLATE % 5 == 0]
    table, scores = compared(
        {"random": [predictions(some, "random")], "plate": [predictions(others, "plate")]}
    )
    assert list(table) == COLUMNS
    assert table.split.unique().tolist() == ["random", "plate"]
    for split, known in scores.items():
        expected = known[(known.seed == "all") & (known.metric == "sigma_nmad")].iloc[0]
        row = of(table, split, "sigma_nmad")
        for name in ("value", "lower", "upper", "n", "data_digest"):
            assert row[name] == expected[name]
    assert np.isnan(of(table, "random", "sigma_nmad").difference)
    row = of(table, "plate", "sigma_nmad")
    apart = row.value - of(table, "random", "sigma_nmad").value
    assert row.difference == pytest.approx(apart, abs=1e-15)
    assert row.difference_lower < row.difference < row.difference_upper
    assert row.drawn_over == "plate"


def test_the_same_test_objects_are_not_apart():
    """Drawn over the same groups, all that two splits share cancels."""
    one = {name: [predictions(EVERY, name)] for name in SPLITS}
    row = of(compared(one)[0], "plate", "sigma_nmad")
    assert (row.difference, row.difference_lower, row.difference_upper) == (0, 0, 0)


def test_a_shift_between_splits_is_found():
    some, others = EVERY[::2], EVERY[EVERY // PER_PLATE % 2 == 0]
    one = {
        "random": [predictions(some, "random")],
        "plate": [predictions(others, "plate", shift=1.0)],
    }
    for metric in ("sigma_nmad", "rms"):
        assert of(compared(one)[0], "plate", metric).difference_lower > 0


def test_intervals_know_of_what_the_objects_of_a_plate_share():
    """With errors that plates share, the interval over plates is wider than one over objects, and
    covers the difference of two splits without one."""
    some, others = EVERY[::2], EVERY[EVERY // PER_PLATE % 2 == 0]
    alike = {name: HoldoutSplit(kind="holdout") for name in SPLITS}
    covered, ratios = [], []
    for seed in range(12):
        one = {
            "random": [predictions(some, "random", seed, scatter_of_plates=1.0)],
            "plate": [predictions(others, "plate", seed, scatter_of_plates=1.0)],
        }
        bootstrap = Bootstrap(replicates=50)
        row = of(compared(one, bootstrap)[0], "plate", "rms")
        by_object = of(compared(one, bootstrap, alike)[0], "plate", "rms")
        covered.append(row.difference_lower <= 0 <= row.difference_upper)
        ratios.append(
            (row.difference_upper - row.difference_lower)
            / (by_object.difference_upper - by_object.difference_lower)
        )
    assert np.median(ratios) > 1.5
    assert np.mean(covered) >= 0.8


def test_models_keep_their_order_and_classes_are_compared_too():
    generator = np.random.default_rng(3)
    scorer = class_metrics.scorer(ClassScores())
    by_split, scores = {}, {}
    for split, rows in (("random", EVERY[::3]), ("plate", EVERY[EVERY // PER_PLATE % 3 == 0])):
        some = []
        for model in ("zebra", "ant"):
            one = predictions(rows, split, model=model)
            truth = generator.choice(["GALAXY", "QSO", "STAR"], len(rows))
            probability = generator.dirichlet(np.ones(3), len(rows))
            names = [f"probability_{name}" for name in ("GALAXY", "QSO", "STAR")]
            frame = one.frame.assign(
                spec_class=truth, **dict(zip(names, probability.T, strict=True))
            )
            some.append(Predictions(model, frame, one.test_digests))
        by_split[split] = some
        scores[split] = score_table(some, scorer)
    table = compare_splits(features(), SPLITS, by_split, scores, scorer, BOOTSTRAP, "classify")
    assert table.model.unique().tolist() == ["zebra", "ant"]
    assert table.metric.unique().tolist() == ["accuracy", "macro_f1", "log_loss"]
    assert len(table) == 2 * 3 * 2


def test_scores_of_other_test_objects_are_refused():
    one = {name: [predictions(EVERY[::3], name)] for name in SPLITS}
    scorer = redshifts.scorer(SETTINGS)
    scores = dict.fromkeys(SPLITS, score_table(one["random"], scorer))
    about = (features(), SPLITS, one, scores, scorer, BOOTSTRAP, "regress")
    with pytest.raises(ValueError, match=r"split 'plate': its scores belong to test objects"):
        compare_splits(*about)


def test_the_base_is_random_or_draws_objects():
    plate, cell = (HoldoutSplit(kind="holdout", group=g) for g in ("plate", "sky_cell"))
    assert base_of(SPLITS) == "random"
    assert base_of({"zone": HoldoutSplit(kind="holdout"), "a": plate}) == "zone"
    assert base_of({"p": plate, "c": cell}) == "c"


@pytest.fixture
def job(tmp_path):
    """The inputs of the script for two models, of which one gives a p(z), on two splits."""
    write_parquet(features(), tmp_path / "features.parquet")
    files = {"predictions": [], "scores": [], "pdf_scores": []}
    rows = {"plate": EVERY[EVERY // PER_PLATE % 4 == 0], "random": EVERY[::4]}
    for split in sorted(rows):
        some = []
        for model, shift in (("linear", 0.0), ("forest", 0.5)):
            one = predictions(rows[split], split, model=model, shift=shift)
            widths = np.full(len(one.frame), 0.03)
            columns = gaussian_columns(one.frame.zphot, widths, one.frame.zspec.to_numpy())
            frame = one.frame.assign(**columns)
            some.append(Predictions(model, frame, one.test_digests))
            about = {"model": model, "split": split, "test_digests": {"1": f"digest of {split}"}}
            path = tmp_path / split / model / "predictions.parquet"
            write_parquet(with_metadata(pa.Table.from_pandas(frame), **about), path)
            files["predictions"].append(path)
        for name, scorer in (("scores", redshifts.scorer(SETTINGS)), ("pdf_scores", SCORER)):
            path = tmp_path / f"{split}_{name}.csv"
            chosen = some if name == "scores" else some[1:]
            write_csv(score_table(chosen, scorer).assign(seed="all"), path)
            files[name].append(path)
    params = {
        "splits": json.dumps({name: json.loads(its.canonical()) for name, its in SPLITS.items()}),
        "models": json.dumps({"regress": ["linear", "forest"]}),
        "pdf_models": ["forest"],
        "classes": ClassScores().canonical(),
        "redshifts": SETTINGS.canonical(),
        "bootstrap": BOOTSTRAP.canonical(),
    }
    inputs = {"features": tmp_path / "features.parquet", **files}
    return inputs, {"table": tmp_path / "comparison.csv"}, params


def test_the_script_compares_points_and_densities_in_the_order_of_its_inputs(job):
    inputs, outputs, params = job
    table = read_csv(run(script, inputs, outputs, **params).table)
    assert table.groupby("task", sort=False)["model"].unique().map(list).to_dict() == {
        "regress": ["linear", "forest"],
        "pdf": ["forest"],
    }
    assert of(table, "random", "rms", "forest").value > of(table, "random", "rms", "linear").value
    row = of(table[table.task == "pdf"], "plate", "crps", "forest")
    apart = row.value - of(table, "random", "crps", "forest").value
    assert row.difference == pytest.approx(apart, abs=1e-12)
    assert set(table.base) == {"random"}


def test_predictions_of_another_split_are_refused(job):
    inputs, outputs, params = job
    inputs["predictions"] = inputs["predictions"][2:] + inputs["predictions"][:2]
    with pytest.raises(ValueError, match="predictions of split 'random', not of 'plate'"):
        run(script, inputs, outputs, **params)
