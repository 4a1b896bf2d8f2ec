"""Trained scikit-learn models on disk: skops, never pickle."""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sdssflow import __version__
from sdssflow.files import replacing

# types that a saved scikit-learn model may contain beyond those that skops trusts; none of them
# runs code from the file (a forged tree could crash the process, so skops does not trust trees)
TRUSTED_TYPES: tuple[str, ...] = (
    "numpy.dtype",
    "sdssflow.classify.dirichlet.DirichletCalibration",
    "sdssflow.classify.network_ensembles.NetworkEnsemble",
    "sdssflow.classify.photoz_boosting.PhotozClassifier",
    "sdssflow.regress.forests.DensityForest",
    "sdssflow.regress.neighbours.LocalLinearRegression",
    "sdssflow.regress.neighbours.NeighbourMean",
    "sdssflow.regress.prediction_trees.ErrorTrees",
    "sdssflow.regress.regressors.BoundedScaler",
    "sdssflow.regress.templates.TemplateFit",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
)
SCHEMA = "schema.json"  # in a skops archive
PACKAGES = ("numpy", "scikit-learn", "scipy", "torch", "pyarrow")


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the versions of sdssflow, Python and the installed ones of `packages`."""
    found = {"sdssflow": __version__, "python": platform.python_version()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def save_estimator(estimator: Any, path: str | Path) -> None:
    """Save a scikit-learn estimator as skops, atomically; equal estimators give equal bytes."""
    with replacing(path) as temporary:
        _write_in_order(io.BytesIO(_skops_io().dumps(estimator)), temporary)


def _write_in_order(archive: io.BytesIO, path: Path) -> None:
    """Write a skops archive with numbers instead of the memory addresses in its names."""
    numbers: dict[Any, int] = {}
    names: dict[str, str] = {}

    def numbered(state: Any) -> Any:
        if isinstance(state, list):
            return [numbered(item) for item in state]
        if not isinstance(state, dict):
            return state
        found = {key: numbered(value) for key, value in state.items()}
        if isinstance(identity := state.get("__id__"), int):
            found["__id__"] = numbers.setdefault(identity, len(numbers))
        if isinstance(name := state.get("file"), str):
            found["file"] = names.setdefault(name, f"{len(names)}{Path(name).suffix}")
        return found

    with zipfile.ZipFile(archive) as given, zipfile.ZipFile(path, "w") as made:
        schema = json.dumps(numbered(json.loads(given.read(SCHEMA))))
        for name, content in {SCHEMA: None, **names}.items():
            member = zipfile.ZipInfo(content or name)  # dated 1980, not now
            made.writestr(member, _with_zero_padding(given.read(name)) if content else schema)


def _with_zero_padding(content: bytes) -> bytes:
    """Return an array file with zeros as padding between the fields of its records.

    Trees have such records; the padding of a loaded tree is uninitialised memory.
    """
    if not content.startswith(b"\x93NUMPY"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    filled = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        filled[name] = array[name]
    file = io.BytesIO()
    np.save(file, filled)
    return file.getvalue()


def load_estimator(path: str | Path) -> Any:
    """Load a scikit-learn estimator saved by `save_estimator`.

    Raises
    ------
    ValueError
        If the file contains a type that neither skops nor `TRUSTED_TYPES` trusts, or compressed
        parts, which may expand to any size: sdssflow did not write it, or it was changed.
    """
    skops_io = _skops_io()
    try:
        with zipfile.ZipFile(path) as archive:
            packed = any(member.compress_type for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: not a model, or damaged ({error})") from None
    if packed:
        raise ValueError(f"{path}: refused, its parts are compressed; sdssflow never writes such")
    try:
        return skops_io.load(path, trusted=list(TRUSTED_TYPES))  # checks types before loading
    except skops_io.exceptions.UntrustedTypesFoundException:
        foreign = sorted(set(skops_io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES))
        if foreign[0].startswith("sdssflow."):
            raise ValueError(
                f"{path}: it contains the type {foreign[0]!r} of another version of sdssflow; "
                "delete its folder and train again"
            ) from None
        raise ValueError(
            f"{path}: refused, it contains the type {foreign[0]!r} that no model of sdssflow "
            "needs; load only model files that this workflow wrote"
        ) from None


class _WithoutTorch:
    """An import finder that hides torch."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("torch is left out here", name=name)


def _skops_io() -> Any:
    """Import skops.io without torch, which saves seconds in every job.

    To list scikit-learn's estimators, skops imports all of scikit-learn, including a module that
    imports torch if it can.
    """
    finder = _WithoutTorch()
    sys.meta_path.insert(0, finder)
    try:
        import skops.io
    finally:
        sys.meta_path.remove(finder)
    return skops.io
