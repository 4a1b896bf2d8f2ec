"""Twelve test objects that show what p(z) look like, chosen by rules, not by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from sdssflow.evaluate.redshift_metrics import normalised_residual


def choose(frame: pd.DataFrame) -> list[tuple[str, int]]:
    """Choose objects by what is extreme about them, each object once.

    Parameters
    ----------
    frame : pandas.DataFrame
        Predictions with p(z).

    Returns
    -------
    list of (str, int)
        Why each was chosen, and its position in `frame`; of objects that tie, the first. Twelve, or
        fewer if there are fewer objects. A rule that no object meets, such as the faintest where
        no magnitude is known, is left out.
    """
    chosen: list[tuple[str, int]] = []
    taken = np.zeros(len(frame), dtype=bool)
    for reason, rule in RULES.items():
        value = np.asarray(rule(frame), dtype=np.float64)
        value = np.where(taken | ~np.isfinite(value), -np.inf, value)
        if not len(value) or value.max() == -np.inf:
            continue
        place = int(value.argmax())
        taken[place] = True
        chosen.append((reason, place))
    return chosen


def _width(frame: pd.DataFrame) -> pd.Series:
    return frame["z_high_95"] - frame["z_low_95"]


def _skewness(frame: pd.DataFrame) -> pd.Series:
    """How far the highest point lies from the median, in half widths of 68 %."""
    half = (frame["z_high_68"] - frame["z_low_68"]) / 2
    return (frame["zphot_mode"] - frame["zphot_median"]).abs() / half


def _typicality(frame: pd.DataFrame) -> pd.Series:
    """How near width and CRPS are to their medians, in logarithm."""
    parts = [np.log(np.maximum(values, 1e-12)) for values in (_width(frame), frame["crps"])]
    return -sum(np.abs(part - np.median(part)) for part in parts)


def _residual(frame: pd.DataFrame) -> np.ndarray:
    return normalised_residual(frame["zspec"].to_numpy(), frame["zphot"].to_numpy())


# the object that makes the value largest is taken, in this order
RULES: dict[str, Callable[[pd.DataFrame], np.ndarray | pd.Series]] = {
    "typical width and CRPS": _typicality,
    "narrowest": lambda frame: -_width(frame),
    "widest": _width,
    "most lopsided": _skewness,
    "worst outlier, too high": _residual,
    "worst outlier, too low": lambda frame: -_residual(frame),
    "worst CRPS of the rest": lambda frame: frame["crps"],
    "best CRPS of the rest": lambda frame: -frame["crps"],
    "highest zspec of the rest": lambda frame: frame["zspec"],
    "brightest of the rest": lambda frame: -frame["reference_mag"],
    "faintest of the rest": lambda frame: frame["reference_mag"],
    "farthest from training": lambda frame: frame["train_distance"],
}
