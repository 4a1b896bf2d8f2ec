"""Simulated galaxies with magnitude errors, under the feature names of the workflow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sdssflow.prepare.parts import Part
from tests.regress import galaxies

COLORS = ("model_color_ug", "model_color_gr", "model_color_ri", "model_color_iz")
ERRORS = tuple(f"model_mag_err_{band}" for band in "ugriz")
NAMES = (*COLORS, "model_mag_r", *ERRORS)
TO_FEATURES = np.zeros((5, 5))  # change of the first five features with each magnitude
for _color in range(4):
    TO_FEATURES[_color, _color], TO_FEATURES[_color + 1, _color] = 1, -1
TO_FEATURES[2, 4] = 1


def part(n: int, seed: int = 0, hidden_u: float = 0.0) -> Part:
    """Return n galaxies with noisy magnitudes; a fraction `hidden_u` has no u band."""
    generator = np.random.default_rng([seed, 7])
    clean = galaxies.part(n, seed)
    errors = np.exp(generator.normal(np.log([0.08, 0.02, 0.02, 0.02, 0.04]), 0.5, (n, 5)))
    noisy = clean.features + generator.normal(0, 1, (n, 5)) * errors @ TO_FEATURES
    features = np.hstack([noisy, errors])
    gone = generator.random(n) < hidden_u
    features[np.ix_(gone, [NAMES.index("model_color_ug"), NAMES.index("model_mag_err_u")])] = np.nan
    return replace(clean, features=features, feature_names=NAMES, digest=f"{seed}-{n}-{hidden_u}")
