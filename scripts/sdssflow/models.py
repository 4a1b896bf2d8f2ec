"""Trained models on disk: skops or safetensors beside a JSON card, never pickle."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Any

from sdssflow.files import replacing, write_json

# what a saved scikit-learn model may contain beyond skops' own list of safe types
TRUSTED_TYPES: tuple[str, ...] = (
    "numpy.dtype",
    "sdssflow.regress.neighbours.LocalLinearRegression",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.frozen._frozen.FrozenEstimator",
)
PACKAGES = ("numpy", "scikit-learn", "scipy", "torch", "pyarrow", "sdssflow")


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of those `packages` that are installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_card(folder: str | Path, card: dict[str, Any]) -> None:
    """Write ``card.json``: what a user must know to trust and to load the model."""
    write_json(Path(folder) / "card.json", {**card, "versions": versions()})


def save_estimator(estimator: Any, path: str | Path) -> None:
    """Save a scikit-learn estimator as skops, whole or not at all."""
    import skops.io

    with replacing(path) as temporary:
        skops.io.dump(estimator, temporary)


def load_estimator(path: str | Path) -> Any:
    """Load a scikit-learn estimator saved by `save_estimator`.

    Raises
    ------
    ValueError
        If the file holds a type that is neither safe by skops' list nor in `TRUSTED_TYPES`:
        it was not made by this project, or was changed since.
    """
    import skops.io

    foreign = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES))
    if foreign:
        raise ValueError(
            f"{path}: refused, it holds the type {foreign[0]!r} that no model of sdssflow needs; "
            "load only model files that this workflow wrote"
        )
    return skops.io.load(path, trusted=list(TRUSTED_TYPES))
