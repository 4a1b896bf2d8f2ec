"""Settings of an ensemble for a sample, by successive halving (Jamieson & Talwalkar 2016).

All candidates are trained for a few epochs, the better ones again for more, until few are left
(arXiv:1502.07943). They are trained on the train part and compared on the validation part by the
mean CRPS of their p(z); the calibration part and the test objects are not used. If the validation
part is small or empty, some objects of the train part are moved to it. The noise is chosen first,
with the configured settings otherwise. A candidate replaces the current settings only if it is
better by more than twice the standard error of the paired difference: the best of several is partly
so by chance, and a few epochs favour other settings than many.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from sdssflow.configuration.networks import MixtureEnsemble, SettingsSearch
from sdssflow.logs import progress
from sdssflow.models.folders import program
from sdssflow.prepare.feature_columns import Feature
from sdssflow.prepare.parts import Part
from sdssflow.redshift_pdf.scores import pdf_scores

FEWEST_JUDGED = 1000  # objects, or a quarter of the train part if that is fewer
TRIED = ("hidden", "components", "learning_rate", "weight_decay", "noise")
COLUMNS = ["round", "epochs", *TRIED, "crps", "difference", "standard_error", "kept"]


def search_settings(
    settings: MixtureEnsemble, seed: int, train: Part, validation: Part, device: torch.device
) -> tuple[MixtureEnsemble, pd.DataFrame]:
    """Choose settings on the validation part.

    Parameters
    ----------
    settings : MixtureEnsemble
        With a `search`.
    seed : int
        Seed of the candidates' draw and of their training.
    train, validation : Part
        Usable parts (`inputs.require_usable`); the validation part may be empty.
    device : torch.device
        From `training_devices.training_device`.

    Returns
    -------
    chosen : MixtureEnsemble
        The settings, updated with those of the chosen candidate.
    table : pandas.DataFrame
        One row per candidate and round: `COLUMNS`. `difference` is the mean CRPS minus that of the
        first candidate of the round: the configured settings, from the second round on with the
        chosen noise. `kept` marks those that enter the next round, in the last round the chosen
        one. Empty if there is only one candidate.

    Raises
    ------
    ValueError
        If the settings have no search, or the loss of a candidate is not finite.
    """
    search = settings.search
    if search is None:
        raise ValueError("the settings have no section 'search'")
    if search.wide_from and len(train) + len(validation) >= search.wide_from:
        settings = widened(settings)
    alive = draw_candidates(settings, search, seed, train.feature_names)
    if len(alive) == 1:
        return settings, pd.DataFrame(columns=COLUMNS)
    train, judged = share_out(train, validation, seed)
    rows: list[dict[str, Any]] = []
    noise = {"noise": None}  # to compare candidates without their noise
    for number, epochs in enumerate(_epochs(settings, search), start=1):
        budget = {"max_epochs": epochs, "members": search.members, "blocks": 0}
        tried = [settings.model_copy(update=candidate | budget) for candidate in alive]
        crps = np.array(
            [
                _crps(candidate, seed, train, judged, device)
                for candidate in progress(tried, len(tried), f"round {number}")
            ]
        )
        noises = [place for place, each in enumerate(alive) if each | noise == alive[0] | noise]
        others = [place for place in np.argsort(crps.mean(axis=1), kind="stable")
                  if place not in noises]  # fmt: skip
        order = [noises[_winner(crps[noises])], *others]
        last = len(alive) <= search.reduction or epochs == settings.max_epochs
        kept = order[: math.ceil(len(alive) / search.reduction)]
        if last:
            kept = [order[_winner(crps[order])]]
        for place, candidate in enumerate(alive):
            rows.append(_row(number, epochs, candidate, crps, place, place in kept))
        alive = [alive[place] for place in kept]
        if last:
            break
    chosen = settings.model_copy(update=alive[0])
    return chosen, pd.DataFrame(rows, columns=COLUMNS)


def widened(settings: MixtureEnsemble) -> MixtureEnsemble:
    """Return settings of networks twice as wide, for large samples.

    Trained on 100,000 simulated galaxies, their CRPS is 1 % lower; on some thousands there is no
    gain (`benchmarks/measure_ensemble_choices.py`).
    """
    hidden = [2 * units for units in settings.hidden]
    return settings.model_copy(
        update={"hidden": hidden, "learning_rate": settings.learning_rate / 2}
    )


def draw_candidates(
    settings: MixtureEnsemble, search: SettingsSearch, seed: int, names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the candidates, as defined in `SettingsSearch`, for features of these names."""
    configured = {name: getattr(settings, name) for name in TRIED}
    lists = {name: getattr(search, name) or [configured[name]] for name in TRIED}
    if not any(Feature.named(name).kind == "error" for name in names):
        lists["noise"] = [configured["noise"]]  # there is none to add
    grid = [dict(zip(TRIED, values, strict=True)) for values in itertools.product(*lists.values())]
    noises = [configured | {"noise": noise} for noise in lists["noise"]]
    order = np.random.default_rng([seed, 1]).permutation(len(grid))
    candidates = [configured]
    for candidate in [*noises, *(grid[place] for place in order)]:
        if candidate not in candidates:
            candidates.append(candidate)
    return candidates[: search.candidates]


@dataclass(frozen=True)
class Judged:
    """Objects that no candidate is trained on: (n, f) features and (n,) zspec."""

    features: np.ndarray
    zspec: np.ndarray


def share_out(train: Part, validation: Part, seed: int) -> tuple[Part, Judged]:
    """Return what candidates are trained on and what they are compared on.

    With a small validation part the error of the mean CRPS exceeds the differences between
    settings, so objects of the train part are moved to it, with all rows of their groups.
    """
    wanted = min(FEWEST_JUDGED, len(train) // 4) - len(validation)
    drawn = np.random.default_rng([seed, 2]).permutation(len(train))[: max(wanted, 0)]
    moved = np.isin(train.group, train.group[drawn])
    parts = [part for part in (validation, train.subset(moved)) if len(part)]
    judged = Judged(*(np.concatenate([getattr(part, name) for part in parts])
                      for name in ("features", "zspec")))  # fmt: skip
    return train.subset(~moved), judged


def _epochs(settings: MixtureEnsemble, search: SettingsSearch) -> Iterator[int]:
    """Yield the epochs of each round, increasing up to those of the ensemble."""
    epochs = search.first_epochs
    while True:
        yield min(epochs, settings.max_epochs)
        epochs *= search.reduction


def _crps(
    settings: MixtureEnsemble, seed: int, train: Part, judged: Judged, device: torch.device
) -> np.ndarray:
    """Train a candidate and return the CRPS of each judged object."""
    # no early stopping on the judged objects: all epochs are run
    empty = train.subset(slice(0))
    trained = program(settings).fit(settings, seed, train, empty, device)
    pdf = trained.loaded(train.feature_names).predict_pdf(judged.features)
    return pdf_scores(pdf, judged.zspec)["crps"]


def _winner(crps: np.ndarray) -> int:
    """Return the best candidate if it beats the first by two standard errors, else 0."""
    best = int(crps.mean(axis=1).argmin())
    difference, error = _paired(crps, best)
    return best if difference < -2 * error else 0


def _paired(crps: np.ndarray, candidate: int) -> tuple[float, float]:
    """Return mean and standard error of a candidate's CRPS minus the first's."""
    difference = crps[candidate] - crps[0]
    return difference.mean(), difference.std(ddof=1) / math.sqrt(len(difference))


def _row(
    number: int, epochs: int, candidate: dict[str, Any], crps: np.ndarray, place: int, kept: bool
) -> dict[str, Any]:
    difference, error = _paired(crps, place)
    return {
        "round": number,
        "epochs": epochs,
        **{name: json.dumps(candidate[name]) for name in TRIED},
        "crps": crps[place].mean(),
        "difference": difference,
        "standard_error": error,
        "kept": kept,
    }
