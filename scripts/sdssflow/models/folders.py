"""Models of any kind: fitted, saved in a folder with one file per fold and a card, loaded again.

Classifiers and regressors share the format. A kind of model is defined by the class of its settings
(`sdssflow.configuration.kinds`) and the module named there as `program`, which is imported here by
that name: only the jobs of a kind depend on its code.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from threadpoolctl import threadpool_limits

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.kinds import ModelSettings
from sdssflow.files import write_json
from sdssflow.models.estimators import load_estimator, versions
from sdssflow.models.inputs import require_usable
from sdssflow.prepare.parts import Part, feature_names
from sdssflow.tables import metadata, read_parquet

if TYPE_CHECKING:
    from sdssflow.redshift_pdf.mixture import Mixture

CHUNK = 100_000  # rows of class probabilities at once, to limit the memory of layers and votes
UNIONS = {"classify": "classifiers.ClassifierSettings", "regress": "regressors.RegressorSettings"}
CARD_KEYS = (
    "task", "model", "kind", "settings", "features", "seed", "folds", "training", "device", "dtype",
    "versions",
)  # fmt: skip


@dataclass(frozen=True)
class ModelFolder:
    """A trained model on disk.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    card : dict
        Content of its card.json.
    settings : ModelSettings
        Settings of the model.
    """

    path: Path
    card: dict[str, Any]
    settings: ModelSettings

    def load(self, fold: int, threads: int = 1) -> Callable[[np.ndarray], np.ndarray]:
        """Load the model of a fold: a function of (n, f) float64 features, as the card lists them.

        A classifier returns (n, 3) probabilities (`class_probabilities`), whatever the number of
        threads; a regressor (n,) float64 zphot. ValueError if the folder has no model of that fold,
        or its file does not match the card.
        """
        model = self.load_model(fold)
        if self.settings.task == "classify":
            return functools.partial(class_probabilities, model, threads=threads)
        if not hasattr(model, "predict"):
            raise ValueError(f"{self.path}: this model predicts p(z); use load_pdf")
        return lambda features: np.asarray(model.predict(features), dtype=np.float64)

    def load_pdf(self, fold: int) -> Callable[[np.ndarray], Mixture]:
        """Load the p(z) of a fold's model: a function from (n, f) features to a Mixture of n.

        ValueError if the kind has no p(z), and as `load`.
        """
        if not self.settings.gives_pdf:
            raise ValueError(f"{self.path}: a {self.settings.kind} model has no p(z)")
        return self.load_model(fold).predict_pdf

    def load_model(self, fold: int) -> Any:
        """Load the model of a fold as its program saved it; raises as `load` does."""
        if fold not in self.card["folds"]:
            raise ValueError(
                f"{self.path}: no model of fold {fold}, only of {self.card['folds']}; "
                "train again on this split"
            )
        path = model_path(self.path, self.settings, fold)
        if not self.settings.needs_torch:
            return load_estimator(path)
        settings = self.fold_settings(fold)
        return program(settings).load(path, settings, self.card["features"])

    def fold_settings(self, fold: int) -> Any:
        """Return the settings of a fold's model, which a search may have chosen."""
        chosen = self.card["training"][str(fold)].get("settings")
        return self.settings if chosen is None else type(self.settings).model_validate(chosen)

    def trained_on(self, fold: int) -> str | None:
        """Return the content digest of the part `train` of a fold; None without such a fold."""
        return self.card["training"].get(str(fold), {}).get("digests", {}).get("train")


def class_probabilities(
    estimator: Any, features: np.ndarray, chunk: int = CHUNK, threads: int = 1
) -> np.ndarray:
    """Return the probability of each class of `CLASSES`, in that order: (n, 3) float64.

    The `classes_` of the fitted estimator are some of `CLASSES`; rows sum to 1, with 0 for a class
    that it was not trained on. The (n, f) float64 features, where n may be 0, are predicted in
    chunks of `chunk` rows, `threads` at a time: that changes probabilities by rounding (1e-12) at
    most.
    """
    columns = [CLASSES.index(name) for name in estimator.classes_]
    probability = np.zeros((len(features), len(CLASSES)))

    def predict(start: int) -> None:
        rows = slice(start, start + chunk)
        probability[rows, columns] = estimator.predict_proba(features[rows])

    # OpenMP would start as many threads as there are cores in each of our threads
    with ThreadPoolExecutor(threads, initializer=threadpool_limits, initargs=(1,)) as pool:
        list(pool.map(predict, range(0, len(features), chunk)))  # raises the error of a chunk
    return probability


def program(settings: ModelSettings) -> ModuleType:
    """Import the module that fits models of this kind."""
    return importlib.import_module(settings.program)


def fit_regressor(
    settings: ModelSettings, seed: int, train: Part, validation: Part, **how: Any
) -> Any:
    """Fit a regressor of any kind to the train part.

    Boosting and networks stop on the validation part, which may be empty. Further arguments are
    `threads` for a kind of scikit-learn, `device` and `checkpoint` for one of torch. Return an
    estimator, or the result of a training in torch (`kinds.ModelSettings.program`).

    ValueError if the train part is empty, a redshift is missing, or a feature is missing and the
    kind does not accept missing values; in the validation part too, if it is used.
    """
    require_usable(train, settings, "train")
    if len(validation) and settings.needs_torch:
        require_usable(validation, settings, "validation")
    return program(settings).fit(settings, seed, train, validation, **how)


def model_path(folder: str | Path, settings: ModelSettings, fold: int) -> Path:
    """Return the file of one fold's model."""
    return Path(folder) / f"fold_{fold}.{'safetensors' if settings.needs_torch else 'skops'}"


def write_card(
    folder: str | Path,
    development: str | Path,
    model: str,
    settings: ModelSettings,
    seed: int,
    training: Mapping[int, Mapping[str, Any]],
    device: str = "cpu",
    dtype: str = "float64",
    **more: Any,
) -> None:
    """Write ``card.json``: everything needed to trust and to load the models of a folder.

    `development` is the table of the training, `training` the entries of each fold (`learnt_from`
    and others), `device` and `dtype` the device and precision of the training.
    """
    about = metadata(read_parquet(development, ["row_id"]).schema)
    card = {
        "task": settings.task,
        "model": model,
        "kind": settings.kind,
        "settings": settings.model_dump(mode="json"),
        "sample": about.get("sample", ""),
        "split": about.get("split", ""),
        "features": list(feature_names(development)),
        "seed": seed,
        "folds": sorted(training),
        "training": {str(fold): dict(entry) for fold, entry in training.items()},
        "device": device,
        "dtype": dtype,
        "versions": versions(),
        **more,
    }
    write_json(Path(folder) / "card.json", card)


def learnt_from(parts: Mapping[str, Part]) -> dict[str, dict[str, Any]]:
    """Return the number of objects and the content digest of each part, for a card."""
    return {
        "objects": {name: len(part) for name, part in parts.items()},
        "digests": {name: part.digest for name, part in parts.items()},
    }


def read_settings(task: str, text: str) -> Any:
    """Read the JSON of the settings of a model of any kind."""
    return _union(task).validate_json(text)


@functools.cache
def _union(task: str) -> TypeAdapter[Any]:
    module, _, name = UNIONS[task].partition(".")
    return TypeAdapter(getattr(importlib.import_module(f"sdssflow.configuration.{module}"), name))


def open_folder(folder: str | Path) -> ModelFolder:
    """Read the card of a model folder.

    Raises
    ------
    FileNotFoundError
        If the folder has no card.
    ValueError
        If the card is incomplete, or this version does not know its kind or settings.
    """
    path = Path(folder)
    try:
        card = json.loads((path / "card.json").read_text(encoding="utf-8"))
        missing = [key for key in CARD_KEYS if key not in card]
        if missing:
            raise ValueError(f"it has no {missing[0]!r}")
        if card["task"] not in UNIONS:
            raise ValueError(f"its task is {card['task']!r}")
        settings = read_settings(card["task"], json.dumps(card["settings"]))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: not a model folder, it has no card.json; train again"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "not_installed":
            raise ValueError(f"{path}: {first['msg']}") from None
        key = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"{path}/card.json: settings {key} {first['msg']}; another version of sdssflow wrote "
            "it, or it was changed: delete the folder and train again"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"{path}/card.json: not the card of a model of this version of sdssflow ({error}); "
            "delete the folder and train again"
        ) from None
    return ModelFolder(path, card, settings)
