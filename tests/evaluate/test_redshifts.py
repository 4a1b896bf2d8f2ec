"""Score tables and figures of the redshifts, from predictions.parquet on."""

from pathlib import Path

import numpy as np
import pandas as pd
import plot_redshifts
import pyarrow as pa
import pytest
import score_redshifts

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.figures import Figures
from sdssflow.configuration.scores import RedshiftScores
from sdssflow.evaluate.redshift_figures import FIGURES
from sdssflow.evaluate.tables import Predictions
from sdssflow.files import write_json
from sdssflow.plotting import style
from sdssflow.tables import read_csv, with_metadata, write_csv, write_parquet
from tests.jobs import run

SCATTER = {"sharp": 0.01, "blunt": 0.03}
BOOTSTRAP = Bootstrap(replicates=60)
SETTINGS = RedshiftScores(bins=4)


def write_predictions(path: Path, model: str, n: int = 400, **columns) -> str:
    """Write predictions of two seeds whose residuals have the model's scatter."""
    frames = []
    for seed in (1, 2):
        generator = np.random.default_rng(seed)
        zspec = generator.uniform(0.01, 0.3, n)
        noise = np.random.default_rng([seed, len(model)]).normal(0, SCATTER.get(model, 0), n)
        frames.append(
            pd.DataFrame(
                {
                    "row_id": np.arange(n),
                    "seed": np.int32(seed),
                    "fold": np.int32(0),
                    "group": np.arange(n).astype(str),
                    "reference_mag": generator.uniform(14, 18, n).astype(np.float32),
                    "zspec": zspec,
                    "zphot": zspec + noise * (1 + zspec),
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True).assign(**columns)
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    digests = {"1": "aaaaaaaaaaaa", "2": "bbbbbbbbbbbb"}
    write_parquet(with_metadata(table, model=model, test_digests=digests), path)
    return str(path)


def run_scores(folder: Path, models=tuple(SCATTER), bootstrap=BOOTSTRAP, **columns):
    paths = [write_predictions(folder / f"{model}.parquet", model, **columns) for model in models]
    names = ("scores", "differences", "scores_by_bin")
    outputs = run(
        score_redshifts,
        {"predictions": paths},
        {name: str(folder / f"{name}.csv") for name in names},
        models=list(models),
        settings=SETTINGS.canonical(),
        bootstrap=bootstrap.canonical(),
    )
    return [read_csv(outputs[name]) for name in names]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scores")


@pytest.fixture(scope="module")
def tables(folder):
    return run_scores(folder)


def test_scores_have_the_documented_columns_and_cover_the_truth(tables):
    scores = tables[0]
    assert list(scores) == [
        "model", "seed", "metric", "convention", "subset", "value", "lower", "upper", "n",
        "data_digest",
    ]  # fmt: skip
    nmad = scores[(scores["metric"] == "sigma_nmad") & (scores["seed"].astype(str) == "all")]
    for row in nmad.itertuples():
        assert row.value == pytest.approx(SCATTER[row.model], rel=0.15)
        assert row.lower < row.value < row.upper
        assert row.n == 400


def test_the_row_of_all_seeds_is_their_mean(tables):
    scores = tables[0].assign(seed=tables[0]["seed"].astype(str))
    wide = scores.pivot_table(index=["model", "metric"], columns="seed", values="value")
    np.testing.assert_allclose(wide["all"], (wide["1"] + wide["2"]) / 2, atol=1e-15)


def test_facts_about_the_sample_have_no_interval(tables):
    facts = tables[0][tables[0]["metric"].isin(["mape_floored", "zspec_min"])]
    assert len(facts) == 2 * 2 * 3
    assert facts[["lower", "upper"]].isna().all(axis=None)
    assert facts["value"].notna().all()


def test_differences_are_paired_and_find_the_sharper_model(tables):
    scores, differences, _ = tables
    assert set(differences["metric"]) == {"sigma_nmad", "rmse", "r2"}
    row = differences[differences["metric"] == "sigma_nmad"].iloc[0]
    assert (row["model"], row["other"]) == ("sharp", "blunt")
    assert row["upper"] < 0
    means = scores[(scores["metric"] == "sigma_nmad") & (scores["seed"].astype(str) == "all")]
    values = means.set_index("model")["value"]
    assert row["value"] == pytest.approx(values["sharp"] - values["blunt"])


def test_bins_hold_every_object_once_and_are_those_of_all_models(tables):
    bins = tables[2].assign(seed=tables[2]["seed"].astype(str))
    chosen = bins[(bins["metric"] == "rmse") & (bins["seed"] == "1")]
    totals = chosen.groupby(["model", "variable"])["n"].sum()
    assert (totals == 400).all()
    assert set(totals.index.get_level_values("variable")) == {"zspec", "zphot", "reference_mag"}
    edges = chosen.groupby(["model", "variable"])["bin_low"].apply(tuple)
    for variable in ("zspec", "zphot", "reference_mag"):
        assert edges["sharp", variable] == edges["blunt", variable]
    mean = bins[(bins["metric"] == "rmse") & (bins["seed"] == "all")]
    zspec_bins = mean[(mean["variable"] == "zspec") & (mean["model"] == "sharp")]
    assert zspec_bins["n"].between(98, 102).all()


def test_the_scores_of_bins_average_to_that_of_all(tables):
    scores, bins = (table.assign(seed=table["seed"].astype(str)) for table in tables[::2])
    about = {"metric": "outlier_0.05", "seed": "1", "model": "blunt"}
    chosen = bins[(bins[list(about)] == pd.Series(about)).all(axis=1)]
    expected = scores[(scores[list(about)] == pd.Series(about)).all(axis=1)]["value"].item()
    assert 0 < expected < 1
    assert chosen["variable"].nunique() == 3
    for _, rows in chosen.groupby("variable"):
        assert np.average(rows["value"], weights=rows["n"]) == pytest.approx(expected)


def test_objects_without_magnitude_are_in_no_magnitude_bin(tmp_path):
    _, _, bins = run_scores(tmp_path, ("sharp",), reference_mag=np.float32(np.nan))
    assert set(bins["variable"]) == {"zspec", "zphot"}


def test_a_missing_redshift_is_an_error_that_names_the_object(tmp_path):
    zspec = np.full(800, 0.1)
    zspec[5] = np.nan
    with pytest.raises(ValueError, match="zspec of row_id 5 .* of sharp, seed 1"):
        run_scores(tmp_path, ("sharp",), zspec=zspec)


@pytest.fixture(scope="module")
def network(folder):
    """A model folder as train_network leaves it, as far as figures read it."""
    path = folder / "network"
    keys = ("kind", "seed", "features", "folds", "device", "dtype", "versions")
    card = {**dict.fromkeys(keys, 1), "model": "blunt", "settings": {"kind": "network"}}
    write_json(path / "card.json", card)
    history = {"fold": 0, "epoch": [1, 2], "train_loss": [1.0, 0.5], "validation_loss": [1.0, 0.6]}
    write_csv(pd.DataFrame(history), path / "history.csv")
    return str(path)


def test_every_figure_names_its_models_and_repeats_to_the_byte(tables, folder, network, tmp_path):
    inputs = {
        "scores": str(folder / "scores.csv"),
        "scores_by_bin": str(folder / "scores_by_bin.csv"),
        "predictions": [str(folder / f"{model}.parquet") for model in SCATTER],
        "histories": [network],
    }
    figures = [name for name in FIGURES if name not in ("importance", "partial_dependence")]
    paths = [tmp_path / f"{figure}.svg" for figure in figures]
    settings, drawn = Figures(dpi=50).canonical(), []
    for _ in range(2):
        run(plot_redshifts, inputs, {"figures": paths}, models=list(SCATTER), settings=settings)
        drawn.append([path.read_bytes() for path in paths])
    named = {
        path.stem: {model for model in SCATTER if model.encode() in content}
        for path, content in zip(paths, drawn[0], strict=True)
    }
    assert named.pop("best_zphot_zspec") == {"sharp"}
    assert all("blunt" in models for models in named.values())
    assert drawn[0] == drawn[1]


def test_panels_count_the_objects_that_they_do_not_show():
    zspec = np.linspace(0.0, 0.3, 1000)
    zphot = zspec + np.where(np.arange(1000) == 500, 5.0, 0.001 * np.sin(np.arange(1000)))
    frame = pd.DataFrame({"zspec": zspec, "zphot": zphot})
    with style():
        for name in ("zphot_zspec", "residuals"):
            figure = FIGURES[name][0]([Predictions("model", frame, {1: "a"})])
            title = figure.axes[0].get_title()
            assert title == ("model, 1 outside" if name == "zphot_zspec" else "model, 3 outside")


def test_losses_below_zero_are_drawn():
    """The loss of p(z) is a negative log-likelihood: on a logarithmic axis it would vanish."""
    losses = {"of_pdf": [2.0, 0.3, -1.2], "of_point": [2.0, 0.5, 0.04]}
    histories = [
        (name, 1, pd.DataFrame({"fold": 0, "epoch": [1, 2, 3],
                                "train_loss": loss, "validation_loss": np.nan}))
        for name, loss in losses.items()
    ]  # fmt: skip
    with style():
        below, above = FIGURES["training"][0](histories).axes
        assert below.get_yscale() == "linear"
        assert below.get_ylim()[0] < -1.2
        assert above.get_yscale() == "log"
        above.figure.draw_without_rendering()
        assert not any(label.get_text() for label in above.get_yticklabels(minor=True))
