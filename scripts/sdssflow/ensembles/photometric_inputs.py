"""From features to inputs of networks: standardised, missing values flagged, noise known.

A network must not mistake a missing band for a bright one, and a measured magnitude is one draw
from its error. So the inputs know which features depend on a band: the noise of a magnitude changes
all colours made of it consistently, and hiding a band hides all of them.

Magnitude errors enter as logarithms: they span orders of magnitude, and failed photometry has
errors of many magnitudes.

The magnitudes of a galaxy are strongly correlated, and the small differences carry the redshift. So
magnitudes and colours are rotated to their principal axes, and axes of small variance are stretched
half way (in the logarithm) to equal variances. Full whitening is as good for many objects, and
overfits with a few hundred (`benchmarks/measure_ensemble_choices.py`). If a band may be missing
there is no rotation, because an axis is unknown if any of its bands is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sdssflow.ensembles.standardisation import CONSTANT, FEATURE_BOUND
from sdssflow.prepare.feature_columns import Feature, bands_among, bands_of

SMALLEST_ERROR = 1e-4  # mag; zero has no logarithm
FLATTEST_AXIS = 1e-6  # variance relative to the first axis, below which an axis is only rounding
STRETCH = 0.25  # an axis is divided by this power of its variance; 0.5 would make all equal


@dataclass(frozen=True)
class PhotometricInputs:
    """The transformation of f features into f + m inputs of a network.

    Attributes
    ----------
    mean, scale : (f,) float64 tensors
        Standardisation of the features, from known values of the train part.
    logarithmic : (f,) bool tensor
        Features that enter as logarithms.
    flagged : (m,) int64 tensor
        Features that may be missing in training: whether one is missing is a further input.
    axes : (f, f) float64 tensor
        Multiplies the standardised features: its columns are the principal axes of magnitudes and
        colours, divided by the square root of their standard deviations; 0 for flat axes.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    logarithmic: torch.Tensor
    flagged: torch.Tensor
    axes: torch.Tensor

    @classmethod
    def fit(cls, features: np.ndarray, names: Sequence[str], hide_bands: bool) -> PhotometricInputs:
        """Fit the transformation to the train part.

        Parameters
        ----------
        features : (n, f) float64 array
            NaN where missing.
        names : sequence of str
            Names of the features.
        hide_bands : bool
            Whether training hides bands: then every feature of a band may be missing.

        Raises
        ------
        ValueError
            If a feature is missing in all objects.
        """
        logarithmic = np.array([Feature.named(name).kind == "error" for name in names], dtype=bool)
        values = _logarithms(torch.tensor(features), torch.tensor(logarithmic)).numpy()
        known = np.isfinite(values)
        for column in np.flatnonzero(~known.any(axis=0)).tolist():
            raise ValueError(
                f"feature {names[column]!r} is missing in all {len(features)} objects of the train "
                "part; leave its feature group out"
            )
        mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        constant = spread <= CONSTANT * np.nanmax(np.abs(values), axis=0)
        may_miss = ~known.all(axis=0)
        if hide_bands:
            may_miss |= bands_of(names).any(axis=0)
        scale = np.where(constant, 1.0, spread)
        axes = np.eye(len(names))
        linear = [Feature.named(name).kind in ("magnitude", "color") for name in names]
        if any(linear) and not may_miss.any():
            axes[np.ix_(linear, linear)] = principal_axes(((values - mean) / scale)[:, linear])
        return cls(
            torch.tensor(mean),
            torch.tensor(scale),
            torch.tensor(logarithmic),
            torch.tensor(np.flatnonzero(may_miss)),
            torch.tensor(axes),
        )

    @property
    def count(self) -> int:
        """Number f + m of inputs."""
        return len(self.mean) + len(self.flagged)

    def transform(self, features: torch.Tensor) -> torch.Tensor:
        """Return (n, f + m) float32 inputs for (n, f) float64 features.

        A missing feature is replaced by the mean, and its flag is 1.
        """
        values = (_logarithms(features, self.logarithmic) - self.mean) / self.scale
        missing = torch.isnan(values)
        values = values.clamp(-FEATURE_BOUND, FEATURE_BOUND).masked_fill(missing, 0.0)
        values = (values @ self.axes).clamp(-FEATURE_BOUND, FEATURE_BOUND)
        return torch.cat([values, missing[:, self.flagged].to(values.dtype)], dim=1).float()

    def newly_missing(self, features: np.ndarray) -> np.ndarray:
        """Return (n, f) bool: features that are missing and were never missing in training."""
        missing = np.isnan(features)
        missing[:, self.flagged.cpu().numpy()] = False
        return missing

    def require_known(self, features: np.ndarray, names: Sequence[str]) -> None:
        """Refuse features that are `newly_missing`: a ValueError names one and counts them."""
        missing = self.newly_missing(features)
        for column in np.flatnonzero(missing.any(axis=0)).tolist():
            raise ValueError(
                f"feature {names[column]!r} is missing for {missing[:, column].sum()} of "
                f"{len(features)} objects and was never missing in training; cut those objects "
                "(cut: complete_photometry; complete_columns where their extinction or a column "
                "beyond ugriz is missing) or train with hide_bands above 0"
            )

    def to(self, device: torch.device) -> PhotometricInputs:
        """Return the same on another device."""
        return PhotometricInputs(
            *(getattr(self, name).to(device) for name in self.__dataclass_fields__)
        )


@dataclass(frozen=True)
class PhotometricNoise:
    """How noise and hidden bands change the inputs.

    Attributes
    ----------
    sigma : (n, k) float32 tensor
        Magnitude error in each band in mag, 0 where unknown; the bands are ugriz, then further
        ones of the features.
    response : (k, f) float32 tensor
        Derivative of each input by each magnitude.
    hides : (k, f + m) float32 tensor
        1 where hiding a band makes an input unknown.
    flags : (k, f + m) float32 tensor
        1 where an input flags that a band is hidden.
    """

    sigma: torch.Tensor
    response: torch.Tensor
    hides: torch.Tensor
    flags: torch.Tensor


def photometric_noise(
    features: np.ndarray, names: Sequence[str], inputs: PhotometricInputs
) -> PhotometricNoise:
    """Return the noise of (n, f) features, from the magnitude errors among them.

    Parameters
    ----------
    features : (n, f) float64 array
        NaN where missing.
    names : sequence of str
        Names of the features. Without magnitude errors all noise is 0.
    inputs : PhotometricInputs
        Fitted to these features.
    """
    all_bands = bands_among(names)
    response = np.zeros((len(all_bands), len(names)))
    sigma = np.zeros((len(features), len(all_bands)))
    for column, (_, kind, bands) in enumerate(map(Feature.named, names)):
        first = all_bands.index(bands[0]) if bands else None
        if kind == "color":
            response[first, column] += 1
            response[all_bands.index(bands[1]), column] -= 1
        elif kind == "magnitude":
            response[first, column] = 1
        elif kind == "error" and len(bands) == 1:
            sigma[:, first] = np.nan_to_num(features[:, column])
    of_band = bands_of(names).astype(float)
    flagged = of_band[:, inputs.flagged.cpu().numpy()]
    device = inputs.mean.device
    return PhotometricNoise(
        *(
            torch.tensor(values, dtype=torch.float32, device=device)
            for values in (
                np.minimum(sigma, 1.0),  # mag; with larger errors there is no measurement
                response / inputs.scale.cpu().numpy() @ inputs.axes.cpu().numpy(),
                np.hstack([of_band, np.zeros_like(flagged)]),
                np.hstack([np.zeros_like(of_band), flagged]),
            )
        )
    )


def principal_axes(values: np.ndarray) -> np.ndarray:
    """Return the (f, f) matrix that makes (n, f) standardised values uncorrelated.

    A variance v becomes v^(1 - 2 STRETCH). Values are clipped, as the inputs are. An axis whose
    variance is only rounding, as for colours together with their magnitudes, is 0.
    """
    bounded = np.clip(values, -FEATURE_BOUND, FEATURE_BOUND)
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(bounded, rowvar=False, ddof=0)))
    known = variances > FLATTEST_AXIS * variances.max(initial=1e-12)
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(axes))])
    return axes * np.where(known, np.where(known, variances, 1) ** -STRETCH, 0)


def _logarithms(features: torch.Tensor, logarithmic: torch.Tensor) -> torch.Tensor:
    return torch.where(logarithmic, torch.log(features.clamp(min=SMALLEST_ERROR)), features)
