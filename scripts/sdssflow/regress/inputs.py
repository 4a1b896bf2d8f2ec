"""What a regressor may be given: redshifts for all objects, and features its kind can take."""

from __future__ import annotations

import numpy as np

from sdssflow.prepare.parts import Part

# kinds that see no features, send a missing value down one branch of a tree, or are told of gaps
TAKE_MISSING_FEATURES = (
    "mean",
    "decision_tree",
    "random_forest",
    "gradient_boosting",
    "mixture_ensemble",
)


def require_usable(part: Part, kind: str, name: str) -> None:
    """Refuse a part that a regressor can't be fitted on.

    Parameters
    ----------
    part : Part
        What the regressor is to be given.
    kind : str
        Kind of the regressor.
    name : str
        Name of the part, for the message.

    Raises
    ------
    ValueError
        If the part is empty, the sample has no redshifts, a redshift is missing, or a feature is
        missing and the kind can't take missing values.
    """
    if not len(part):
        raise ValueError(f"the {name} part has no objects; loosen the cuts or change the split")
    if part.zspec is None:
        raise ValueError("the sample has no zspec; take 'regress' out of its tasks")
    unknown = np.flatnonzero(~np.isfinite(part.zspec))
    if len(unknown):
        raise ValueError(
            f"zspec is missing for {len(unknown)} of {len(part)} objects of the {name} part, first "
            f"row_id {part.row_id[unknown[0]]}; add {{cut: redshift_range}} to the sample's cuts"
        )
    require_features(part.features, part.feature_names, part.row_id, kind)


def require_features(
    features: np.ndarray, names: tuple[str, ...], row_id: np.ndarray, kind: str
) -> None:
    """Refuse missing features where a regressor can't take them.

    Parameters
    ----------
    features : (n, f) float64 array
        NaN where missing.
    names : tuple of str
        Names of the f features.
    row_id : (n,) int64 array
        Rows of the source, for the message.
    kind : str
        Kind of the regressor.

    Raises
    ------
    ValueError
        Naming the first feature that is missing somewhere, how often, and the first object.
    """
    if kind in TAKE_MISSING_FEATURES:
        return
    missing = np.isnan(features)
    for column in np.flatnonzero(missing.any(axis=0)):
        rows = np.flatnonzero(missing[:, column])
        raise ValueError(
            f"feature {names[column]!r} is missing for {len(rows)} of {len(features)} objects, "
            f"first row_id {row_id[rows[0]]}, and a {kind} model can't take missing values; cut "
            "those objects (cut: complete_photometry), leave the feature group out, or choose "
            "random_forest or gradient_boosting"
        )
