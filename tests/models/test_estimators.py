import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sdssflow.files import file_digest
from sdssflow.models.estimators import load_estimator, save_estimator

SCRIPTS = Path(__file__).parents[2] / "scripts"
MODELS = {
    "boosting": lambda: HistGradientBoostingClassifier(random_state=0, max_iter=3),
    "forest": lambda: RandomForestClassifier(5, random_state=0),
    "neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier()),
}


def sample():
    features = np.random.default_rng(0).normal(size=(100, 3))
    return features, (features[:, 0] > 0).astype(int)


@pytest.mark.parametrize("kind", MODELS)
def test_equal_models_have_equal_bytes_and_predict_as_before(tmp_path, kind):
    features, labels = sample()
    digests = set()
    for number in range(2):
        path = tmp_path / f"{number}.skops"
        model = MODELS[kind]().fit(features, labels)
        save_estimator(model, path)
        digests.add(file_digest(path))
        loaded = load_estimator(path)
        np.testing.assert_array_equal(loaded.predict_proba(features), model.predict_proba(features))
    assert len(digests) == 1


def test_a_model_that_was_loaded_is_saved_as_the_same_bytes(tmp_path):
    """Between the fields of a tree's records is memory that nobody wrote."""
    model = RandomForestClassifier(50, random_state=1).fit(*sample())
    save_estimator(model, tmp_path / "trained.skops")
    digests = set()
    for number in range(3):
        path = tmp_path / f"{number}.skops"
        save_estimator(load_estimator(tmp_path / "trained.skops"), path)
        digests.add(file_digest(path))
    assert len(digests) == 1


def test_another_process_writes_the_same_bytes(tmp_path):
    program = (
        "import sys; from sdssflow.models.estimators import save_estimator; import numpy as np;"
        "from sklearn.linear_model import LogisticRegression as Model;"
        "x = np.arange(20.0)[:, None]; save_estimator(Model().fit(x, x[:, 0] > 9), sys.argv[1])"
    )
    features = np.arange(20.0)[:, None]
    save_estimator(LogisticRegression().fit(features, features[:, 0] > 9), tmp_path / "a.skops")
    command = [sys.executable, "-c", program, str(tmp_path / "b.skops")]
    subprocess.run(command, env={"PYTHONPATH": str(SCRIPTS)}, check=True)
    assert file_digest(tmp_path / "a.skops") == file_digest(tmp_path / "b.skops")


def test_compressed_parts_are_refused(tmp_path):
    save_estimator(LogisticRegression().fit(*sample()), tmp_path / "model.skops")
    packed = tmp_path / "packed.skops"
    with (
        zipfile.ZipFile(tmp_path / "model.skops") as given,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for name in given.namelist():
            made.writestr(name, given.read(name))
    with pytest.raises(ValueError, match=r"packed\.skops: refused, its parts are compressed"):
        load_estimator(packed)


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "model.skops").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"model\.skops: not a model"):
        load_estimator(tmp_path / "model.skops")


def test_a_model_of_another_version_is_to_be_trained_again(tmp_path):
    class BoundedScaler(LogisticRegression):
        pass

    BoundedScaler.__module__, BoundedScaler.__qualname__ = (
        "sdssflow.regress.scaling",
        "BoundedScaler",
    )
    skops.io.dump(BoundedScaler().fit(*sample()), tmp_path / "model.skops")
    with pytest.raises(ValueError, match=r"'sdssflow\.regress\.scaling\.BoundedScaler' of another"):
        load_estimator(tmp_path / "model.skops")
