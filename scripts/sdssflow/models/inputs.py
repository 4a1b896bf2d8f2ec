"""Checks of the inputs of a model: features and, for a regressor, redshifts."""

from __future__ import annotations

import numpy as np

from sdssflow.configuration.kinds import ModelSettings
from sdssflow.prepare.parts import Part


def require_usable(part: Part, settings: ModelSettings, name: str) -> None:
    """Refuse a part, called `name`, that a regressor of these settings can't be fitted to.

    ValueError if the part is empty, the sample has no redshifts, a redshift is missing, or a
    feature is missing and the kind does not accept missing values.
    """
    if not len(part):
        raise ValueError(f"the {name} part has no objects; loosen the cuts or change the split")
    if part.zspec is None:
        raise ValueError("the sample has no zspec; remove 'regress' from its tasks")
    unknown = np.flatnonzero(~np.isfinite(part.zspec))
    if len(unknown):
        raise ValueError(
            f"zspec is missing for {len(unknown)} of {len(part)} objects of the {name} part, first "
            f"row_id {part.row_id[unknown[0]]}; add {{cut: redshift_range}} to the sample's cuts"
        )
    require_features(part, settings)


def require_features(part: Part, settings: ModelSettings) -> None:
    """Refuse missing features if a model does not accept them.

    Raises
    ------
    ValueError
        With the first feature that is missing for an object, how often, and the first object.
    """
    if settings.takes_missing:
        return
    missing = np.isnan(part.features)
    for column in np.flatnonzero(missing.any(axis=0)):
        rows = np.flatnonzero(missing[:, column])
        raise ValueError(
            f"feature {part.feature_names[column]!r} is missing for {len(rows)} of {len(part)} "
            f"objects, first row_id {part.row_id[rows[0]]}, and a {settings.kind} model can't take "
            "missing values; cut those objects (cut: complete_photometry; complete_columns where "
            "their extinction or a column beyond ugriz is missing), "
            "leave the feature group out, or choose random_forest or gradient_boosting"
        )
