"""Folders of trained regressors: one file per fold and the card that tells how to read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from sdssflow.configuration.regressors import PDF_KINDS, TORCH_KINDS, RegressorSettings
from sdssflow.configuration.section import Section
from sdssflow.models import load_estimator, write_card
from sdssflow.prepare.parts import feature_names
from sdssflow.tables import metadata, read_parquet

if TYPE_CHECKING:
    from sdssflow.redshift_pdf.mixture import Mixture

SETTINGS: TypeAdapter[Any] = TypeAdapter(RegressorSettings)
CARD_KEYS = (
    "model",
    "kind",
    "settings",
    "features",
    "seed",
    "folds",
    "device",
    "dtype",
    "versions",
)


@dataclass(frozen=True)
class ModelFolder:
    """A trained regressor on disk.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    card : dict
        Content of its card.json.
    settings : Section
        What was trained.
    """

    path: Path
    card: dict[str, Any]
    settings: Section

    def load(self, fold: int) -> Callable[[np.ndarray], np.ndarray]:
        """Load the model of a fold: a function from (n, f) features to (n,) float64 zphot.

        Raises
        ------
        ValueError
            If the folder has no model of that fold, or its file is not what the card says.
        """
        path = self._file(fold)
        if self.settings.kind == "mixture_ensemble":
            raise ValueError(f"{self.path}: its prediction is p(z); load_pdf gives it")
        if self.settings.kind in TORCH_KINDS:
            # imported here: prediction by scikit-learn models shall not wait for torch
            from sdssflow.regress import networks

            hidden = getattr(self.settings, "hidden", [])
            features = len(self.card["features"])
            if self.settings.kind == "committee":
                from sdssflow.regress.committees import load_committee

                committee = load_committee(path, features, hidden, self.settings.members)
                return lambda rows: networks.predict(committee, rows)
            network = networks.load_network(path, features, hidden, self.card["dtype"])
            return lambda rows: networks.predict(network, rows)
        from sdssflow.regress import regressors

        estimator = load_estimator(path)
        return lambda rows: regressors.predict(estimator, rows)

    def load_pdf(self, fold: int) -> Callable[[np.ndarray], Mixture]:
        """Load the p(z) of a fold's model: a function from (n, f) features to a Mixture of n.

        Raises
        ------
        ValueError
            If the kind gives no p(z), the folder has no model of that fold, or its file is not
            what the card says.
        """
        if self.settings.kind not in PDF_KINDS:
            raise ValueError(
                f"{self.path}: {self.settings.kind} gives no p(z), only {', '.join(PDF_KINDS)} do"
            )
        path = self._file(fold)
        if self.settings.kind == "mixture_ensemble":
            from sdssflow.regress.mixture_network_files import load_pdf

            return load_pdf(path, self.fold_settings(fold), self.card["features"])
        return load_estimator(path).predict_pdf

    def fold_settings(self, fold: int) -> Section:
        """Return what was trained on a fold: a search may have chosen other settings there."""
        chosen = self.card["training"][str(fold)].get("settings")
        return self.settings if chosen is None else SETTINGS.validate_python(chosen)

    def _file(self, fold: int) -> Path:
        """Return the file of the model of a fold."""
        if fold not in self.card["folds"]:
            raise ValueError(
                f"{self.path}: no model of fold {fold}, only of {self.card['folds']}; "
                "train again on this split"
            )
        return model_path(self.path, self.settings.kind, fold)


def model_path(folder: str | Path, kind: str, fold: int) -> Path:
    """Return the file of one fold's model."""
    return Path(folder) / f"fold_{fold}.{'safetensors' if kind in TORCH_KINDS else 'skops'}"


def write_regressor_card(
    folder: str | Path,
    development: str | Path,
    model: str,
    settings: Section,
    seed: int,
    folds: dict[int, dict[str, Any]],
    device: str,
    dtype: str,
) -> None:
    """Write the card of a folder of regressors.

    Parameters
    ----------
    folder : path-like
        The model folder.
    development : path-like
        The table it was trained on.
    model : str
        Name of the model in the configuration.
    settings : Section
        What was trained.
    seed : int
        Seed of split and model.
    folds : dict of int to dict
        What to say of each fold: digest and number of training rows, and more if there is more.
    device, dtype : str
        Name of the device that trained it, precision of its weights.
    """
    provenance = metadata(read_parquet(development, ["row_id"]).schema)
    write_card(
        folder,
        {
            "model": model,
            "kind": settings.kind,
            "settings": json.loads(settings.canonical()),
            "sample": provenance.get("sample", ""),
            "split": provenance.get("split", ""),
            "features": list(feature_names(development)),
            "seed": seed,
            "folds": sorted(folds),
            "training": {str(fold): entry for fold, entry in folds.items()},
            "device": device,
            "dtype": dtype,
        },
    )


def read_settings(text: str) -> Section:
    """Read the canonical JSON of one regressor's settings, of whichever kind."""
    return SETTINGS.validate_json(text)


def read_chosen(path: str | Path) -> dict[int, Section]:
    """Read the settings by fold that `search_settings` has found."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    return {int(fold): SETTINGS.validate_python(chosen) for fold, chosen in content.items()}


def open_folder(folder: str | Path) -> ModelFolder:
    """Read the card of a model folder.

    Raises
    ------
    FileNotFoundError
        If the folder has no card.
    ValueError
        If the card is incomplete, or of a kind or with settings that this version doesn't know.
    """
    path = Path(folder)
    try:
        card = json.loads((path / "card.json").read_text(encoding="utf-8"))
        missing = [key for key in CARD_KEYS if key not in card]
        if missing:
            raise ValueError(f"it has no {missing[0]!r}")
        settings = SETTINGS.validate_python(card["settings"])
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no card.json, so no model folder; train again") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"])
        raise ValueError(
            f"{path}/card.json: settings {place} {first['msg']}; it is of another version of "
            "sdssflow or was changed: delete the folder and train again"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"{path}/card.json: not the card of a regressor ({error}); "
            "delete the folder and train again"
        ) from None
    return ModelFolder(path, card, settings)
