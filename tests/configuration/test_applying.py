"""Bundles and targets of a run: what is settled, left out, or refused with the nearest name."""

import copy
from pathlib import Path

import pytest
import yaml

from sdssflow.configuration.applying import estimated, load_applications
from sdssflow.configuration.loading import load_run, load_samples
from sdssflow.configuration.reading import ConfigurationError

ROOT = Path(__file__).parents[2]
RUN = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | {"samples": ["mgs", "mocksky"]}
KINDS = ("model_mag", "model_mag_err", "psf_mag", "psf_mag_err")
COLUMNS = {f"{kind}_{band}": f"{kind}_{band}" for kind in KINDS for band in "ugriz"}
TARGET = {
    "title": "Some",
    "source": {"kind": "file", "path": "rows.parquet", "columns": COLUMNS},
    "models": [{"sample": "mgs", "split": "published", "model": "ensemble"}],
}


@pytest.fixture
def applied(tmp_path, monkeypatch):
    """Load a run whose bundles and one target are changed."""
    monkeypatch.chdir(ROOT)

    def load(bundles=None, target=None, **run):
        (tmp_path / "some.yaml").write_text(yaml.safe_dump(TARGET | (target or {})))
        content = copy.deepcopy(RUN) | {
            "bundles": bundles or {},
            "targets": ["some"],
            "target_folder": str(tmp_path),
        }
        found = load_run(content | run)
        return load_applications(found, load_samples(found))

    return load


def test_a_model_of_the_run_gets_a_bundle_or_takes_the_one_that_has_a_name(applied):
    found = applied()
    assert found.models == {"some": ["results/bundles/mgs_published_ensemble_1"]}
    named = {"mine": {"sample": "mgs", "split": "published", "model": "ensemble"}}
    found = applied(named)
    assert found.models == {"some": ["results/bundles/mine"]}
    assert (found.bundles["mine"].task, found.bundles["mine"].seed) == ("regress", 1)
    found = applied(named, {"models": [{"bundle": "elsewhere/b.zip"}]})
    assert found.models == {"some": ["elsewhere/b.zip"]}


@pytest.mark.parametrize("order", [["final", "mine"], ["mine", "final"]])
def test_of_two_bundles_of_a_model_the_evaluated_one_is_applied(applied, order):
    model = {"sample": "mgs", "split": "published", "model": "ensemble"}
    bundles = {"mine": model, "final": model | {"refit": True}}
    found = applied({name: bundles[name] for name in order})
    assert found.models == {"some": ["results/bundles/mine"]}
    for place in (".", ROOT):  # else no job that makes it again comes before the estimates
        found = applied(bundles, {"models": [{"bundle": f"{place}/results/bundles/final/"}]})
        assert found.models == {"some": ["results/bundles/final"]}
        assert estimated(found)["some"].tasks == ["regress"]


def test_two_models_of_a_task_are_refused(applied):
    model = {"sample": "mocksky", "split": "random", "model": "boosting"}
    for other in ({"model": "logistic"}, {"seed": 1}):
        found = applied(target={"models": [model, model | other]})
        with pytest.raises(ConfigurationError, match="target some: models: two models to classify"):
            estimated(found)


def test_what_is_of_other_samples_is_left_out_and_said(applied):
    found = applied(
        {"other": {"sample": "mclass", "split": "folds", "model": "svm"}},
        {"models": [{"sample": "mocksky_galaxies", "split": "random", "model": "ensemble"}]},
    )
    assert (found.bundles, found.targets) == ({}, {})
    assert found.left_out == [
        "bundle other is left out: mclass is not among samples",
        "target some is left out: mocksky_galaxies is not among samples",
    ]


def test_a_folder_of_samples_of_ones_own_needs_nothing_else_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "own.yaml").write_text((ROOT / "config/samples/mgs.yaml").read_text())
    run = load_run(RUN | {"samples": ["own"], "sample_folder": str(tmp_path)})
    found = load_applications(run, load_samples(run))
    assert (found.bundles, found.targets) == ({}, {})
    assert "bundle mgs_ensemble is left out: mgs is not among samples" in found.left_out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sample": "mgz"}, "sample: there is no 'mgz' .did you mean 'mgs'"),
        ({"split": "publishd"}, "split: .*did you mean 'published'"),
        ({"model": "ensembel"}, "model: .*did you mean 'ensemble'"),
        ({"model": "linear"}, "linear gives no p.z.*forest, local_linear, ensemble"),
        ({"seed": 7}, "seed: there is no 7"),
        ({"task": "classify"}, "model: there is no 'ensemble'"),
        ({"bundle": "b"}, "bundle excludes the other keys"),
        ({"sample": None}, "sample"),
        ({"modle": "x"}, "modle: unknown key .did you mean 'model'"),
    ],
)
def test_a_mistake_in_a_model_is_one_line_with_the_nearest_name(applied, change, words):
    with pytest.raises(ConfigurationError, match=words):
        applied(target={"models": [TARGET["models"][0] | change]})


def test_a_name_of_two_models_asks_for_the_task(applied, tmp_path, monkeypatch):
    sample = yaml.safe_load((ROOT / "config/samples/mocksky.yaml").read_text())
    folder = tmp_path / "samples"
    folder.mkdir()
    both = sample | {"tasks": ["classify", "regress"], "classifiers": ["network"]}
    (folder / "both.yaml").write_text(
        yaml.safe_dump(both | {"regressors": ["network", "ensemble"]})
    )
    model = {"sample": "both", "split": "random", "model": "network"}
    run = {"samples": ["both"], "sample_folder": str(folder)}
    with pytest.raises(ConfigurationError, match="add task: classify or task: regress"):
        applied(target={"models": [model]}, **run)
    found = applied(target={"models": [model | {"task": "classify"}]}, **run)
    assert [bundle.task for bundle in found.bundles.values()] == ["classify"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"cuts": [{"cut": "redshift_range"}]}, "redshift_range"),
        ({"source": {"kind": "embedded", "table": "mgs"}}, "embedded"),
        ({"tomographic_edges": [0.2, 0.1]}, "ascending"),
        ({"hats": True}, "map ra and dec"),
        ({"models": []}, "models"),
    ],
)
def test_what_needs_the_truth_or_makes_no_sense_is_refused(applied, target, words):
    with pytest.raises(ConfigurationError, match=words):
        applied(target=target)


def test_a_target_needs_a_file_and_a_name_of_its_own(applied):
    with pytest.raises(ConfigurationError, match=r"no file .*sone.yaml .did you mean 'some'"):
        applied(targets=["sone"])
    with pytest.raises(ConfigurationError, match="mgs is also a sample"):
        applied(targets=["mgs"])


def test_a_vote_is_not_trained_again(applied):
    vote = {"kept": {"sample": "mocksky", "split": "random", "model": "vote", "refit": True}}
    with pytest.raises(ConfigurationError, match="there is no 'vote'"):
        applied(vote)
