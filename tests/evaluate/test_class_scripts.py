"""The four scripts one after the other, on small split tables, as Snakemake would call them."""

import json

import numpy as np
import plot_classes
import predict_classes
import pyarrow as pa
import pytest
import score_classes
import skops.io
import train_classifier
from sklearn.linear_model import LinearRegression

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.figures import Figures
from sdssflow.configuration.scores import ClassScores
from sdssflow.evaluate.class_figures import FIGURES, draw_best_confusion
from sdssflow.models.estimators import load_estimator
from sdssflow.models.folders import open_folder
from sdssflow.prepare.parts import read_part
from sdssflow.tables import metadata, read_csv, read_parquet, with_metadata, write_parquet
from tests.jobs import run

FEATURES = ["u_g", "g_r", "mag_r"]
CENTRES = {"GALAXY": (1.5, 0.8, 17.0), "QSO": (0.2, 0.2, 18.5), "STAR": (1.2, 0.4, 16.0)}
SETTINGS = {
    "logistic": {"kind": "logistic_regression"},
    "forest": {"kind": "random_forest", "trees": 20, "calibration": "none"},
    "vote": {"kind": "soft_vote", "members": ["logistic", "forest"]},
}
VOTERS = SETTINGS["vote"]["members"]


def split_tables(folder, seed=1, folds=2, shuffled=False, leaking=False):
    """Write development.parquet and test.parquet of 240 objects in two folds."""
    generator = np.random.default_rng(5)
    classes = generator.choice(list(CENTRES), 240, p=[0.5, 0.2, 0.3])
    spread = generator.normal(size=(240, 3)) * (0.25, 0.15, 1.0)
    features = np.array([CENTRES[name] for name in classes]) + spread
    if shuffled:
        classes = generator.permutation(classes)
    place = np.random.default_rng(seed).permutation(240)
    tables = {"development": [], "test": []}
    for fold in range(folds):
        test = place % folds == fold
        parts = np.where(generator.random(240) < 0.25, "calibration", "train")
        chosen = np.flatnonzero(test)
        learnt = np.arange(240) if leaking else np.flatnonzero(~test)
        for name, rows in (("development", learnt), ("test", chosen)):
            columns = {
                "row_id": rows,
                "group": [f"object_{row}" for row in rows],
                "spec_class": classes[rows].tolist(),
                "reference_mag": pa.array(features[rows, 2], pa.float32()),
                "fold": pa.array([fold] * len(rows), pa.int32()),
                "part": ["test"] * len(rows) if name == "test" else parts[rows].tolist(),
            }
            columns |= {feature: features[rows, i] for i, feature in enumerate(FEATURES)}
            tables[name].append(pa.table(columns))
    for name, some in tables.items():
        table = with_metadata(
            pa.concat_tables(some),
            sample="clouds", split="folds", seed=seed, features=FEATURES,
            data_digest=f"digest_{seed}",
        )  # fmt: skip
        write_parquet(table, folder / str(seed) / f"{name}.parquet")


def train(folder, name, seed):
    development = folder / str(seed) / "development.parquet"
    voters = [folder / voter / str(seed) for voter in (VOTERS if name == "vote" else [])]
    inputs, outputs = {"development": development, "voters": voters}, folder / name / str(seed)
    settings = json.dumps(SETTINGS[name])
    run(train_classifier, inputs, {"folder": outputs}, settings=settings, seed=seed, model=name)


def predict(folder, name, seeds=(1, 2), tests=None, output="predictions.parquet"):
    models = [folder / name / str(seed) for seed in seeds]
    tests = tests or [folder / str(seed) / "test.parquet" for seed in seeds]
    outputs = {"predictions": folder / name / output}
    inputs = {"models": models, "tests": tests}
    run(predict_classes, inputs, outputs, seeds=list(seeds), model=name)


def score(folder, names):
    tables = ["scores", "differences", "scores_by_bin", "confusion", "reliability"]
    tables += ["class_sets", "operating_points"]
    files = {table: folder / f"{table}.csv" for table in tables}
    return run(
        score_classes,
        {
            "predictions": [folder / name / "predictions.parquet" for name in names],
            "folders": [folder / name / str(seed) for name in names for seed in (1, 2)],
        },
        files | {"thresholds": folder / "operating_points.json"},
        models=list(names),
        settings=ClassScores(magnitude_bins=3).canonical(),
        bootstrap=Bootstrap(replicates=50).canonical(),
    )


def walk(folder, names, **how):
    for seed in (1, 2):
        split_tables(folder, seed, **how)
        for name in names:
            train(folder, name, seed)
    for name in names:
        predict(folder, name)
    return score(folder, names)


def accuracy(scores, name):
    table = read_csv(scores["scores"])
    return table.query("model == @name and metric == 'accuracy' and seed == 'all'")["value"].item()


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walked")
    return folder, walk(folder, SETTINGS)


def test_all_objects_are_predicted_once_per_seed(walked):
    folder, _ = walked
    table = read_parquet(folder / "forest" / "predictions.parquet")
    about = metadata(table.schema)
    assert table.num_rows == 480
    assert len(set(zip(*table.select(["seed", "row_id"]).to_pydict().values(), strict=True))) == 480
    assert about["sample"] == "clouds"
    assert about["test_digests"] == {"1": "digest_1", "2": "digest_2"}
    assert about["cards"]["1"]["device"] == "cpu"
    assert table.schema.field("seed").type == pa.int32()


def test_classes_are_learnt(walked):
    assert accuracy(walked[1], "forest") > 0.85


def test_shuffled_classes_can_not_be_predicted(tmp_path):
    """The whole way from split to score: no path carries the true class to the prediction."""
    assert accuracy(walk(tmp_path / "honest", ["forest"], shuffled=True), "forest") < 0.55
    leaky = walk(tmp_path / "leaky", ["forest"], shuffled=True, leaking=True)
    assert accuracy(leaky, "forest") > 0.7  # what the line above would see of a leak


def test_the_card_tells_what_was_trained(walked):
    folder, _ = walked
    card = json.loads((folder / "vote" / "1" / "card.json").read_text())
    assert card["kind"] == "soft_vote"
    assert card["features"] == FEATURES
    assert card["folds"] == [0, 1]
    assert card["members"].keys() == {"logistic", "forest"}
    assert card["training"]["0"]["classes"] == ["GALAXY", "QSO", "STAR"]
    assert card["training"]["0"]["objects"]["validation"] == 0
    assert card["training"]["0"]["digests"] != card["training"]["1"]["digests"]


def test_a_folder_is_opened_as_that_of_a_regressor(walked):
    folder, _ = walked
    opened = open_folder(folder / "vote" / "1")
    part = read_part(folder / "1" / "test.parquet", 0, "test")
    table = read_parquet(folder / "vote" / "predictions.parquet").to_pandas()
    expected = table.query("seed == 1 and fold == 0").filter(like="probability").to_numpy()
    np.testing.assert_array_equal(opened.load(0)(part.features), expected)
    with pytest.raises(ValueError, match="a soft_vote model has no p"):
        opened.load_pdf(0)


def test_the_best_confusion_matrix_is_that_of_the_highest_macro_f1(walked):
    _, outputs = walked
    scores = read_csv(outputs["scores"]).query("metric == 'macro_f1' and seed == 'all'")
    best = scores.loc[scores["value"].idxmax(), "model"]
    figure = draw_best_confusion(read_csv(outputs["scores"]), read_csv(outputs["confusion"]))
    assert [axis.get_title() for axis in figure.axes] == [best]


def test_figures_are_drawn_and_repeat_to_the_byte(walked, tmp_path):
    folder, outputs = walked
    figures = [name for name in FIGURES if name not in ("importance", "partial_dependence")]
    paths = [tmp_path / f"{figure}.png" for figure in figures]
    predictions = [folder / name / "predictions.parquet" for name in SETTINGS]

    def draw():
        inputs, settings = outputs | {"predictions": predictions}, Figures(dpi=50).canonical()
        run(plot_classes, inputs, {"figures": paths}, models=list(SETTINGS), settings=settings)
        return [path.read_bytes() for path in paths]

    first = draw()
    assert all(content.startswith(b"\x89PNG") and len(content) > 3000 for content in first)
    assert draw() == first


def test_a_model_of_another_seed_or_with_features_in_another_order_is_refused(walked, tmp_path):
    folder, _ = walked
    with pytest.raises(ValueError, match="has seed 2, not 1"):
        predict(folder, "forest", [1], [folder / "2" / "test.parquet"], "refused")
    table = read_parquet(folder / "1" / "test.parquet")
    write_parquet(with_metadata(table, features=FEATURES[::-1]), tmp_path / "test.parquet")
    with pytest.raises(ValueError, match=r"has features \['u_g', .*\], not \['mag_r', 'g_r'"):
        predict(folder, "forest", [1], [tmp_path / "test.parquet"], "refused")


def test_a_foreign_type_in_a_model_file_is_refused(tmp_path):
    class Foreign(LinearRegression):
        pass

    Foreign.__module__, Foreign.__qualname__ = "somewhere.else", "Foreign"
    path = tmp_path / "fold_0.skops"
    skops.io.dump(Foreign().fit([[0.0], [1.0]], [0.0, 1.0]), path)
    with pytest.raises(ValueError, match=r"fold_0\.skops: refused.*'somewhere\.else\.Foreign'"):
        load_estimator(path)
