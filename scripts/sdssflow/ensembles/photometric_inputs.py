"""From features to what mixture-density networks see: standardised, gaps flagged, noise known.

A network must not mistake a missing band for a bright one, and a measured magnitude is one draw
from its error. So the inputs remember which features a band enters: noise of a magnitude moves all
colours made of it together, and a band that is hidden takes all of them along.

Magnitude errors enter as logarithms: they span orders of magnitude, and failed photometry has
errors of many magnitudes.

Magnitudes of a galaxy are nearly the same in all bands, and what shows its redshift is the little
by which they differ. So magnitudes and colours are turned to their principal axes, and the flat
ones stretched, half way (in the logarithm) to equal variances. All the way is as good where objects
are many, and overfits where they are a few hundred (`benchmarks/measure_ensemble_choices.py`).
Where a band may be missing they stay as they are, for an axis is unknown if any of its bands is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sdssflow.ensembles.standardisation import FEATURE_BOUND
from sdssflow.prepare.feature_columns import Feature, bands_among, bands_of

SMALLEST_ERROR = 1e-4  # mag; zero has no logarithm
FLATTEST_AXIS = 1e-6  # of the variance of the first: beyond it an axis is rounding alone
STRETCH = 0.25  # power of the variance that an axis is divided by; 0.5 would make all equal


@dataclass(frozen=True)
class PhotometricInputs:
    """How f features become the f + m inputs of a network.

    Attributes
    ----------
    mean, scale : (f,) float64 tensors
        Standardisation of the features, known values of the train part alone.
    logarithmic : (f,) bool tensor
        Features that enter as logarithms.
    flagged : (m,) int64 tensor
        Features whose absence is an input of its own: those that training has seen missing.
    axes : (f, f) float64 tensor
        Standardised features times this are the inputs: columns are the principal axes of
        magnitudes and colours, over the roots of their standard deviations; 0 where none is left.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    logarithmic: torch.Tensor
    flagged: torch.Tensor
    axes: torch.Tensor

    @classmethod
    def fit(cls, features: np.ndarray, names: Sequence[str], hide_bands: bool) -> PhotometricInputs:
        """Take mean, scale and what may be missing from the train part.

        Parameters
        ----------
        features : (n, f) float64 array
            NaN where missing.
        names : sequence of str
            Names of the features.
        hide_bands : bool
            Whether training will hide bands: then every feature of a band may be missing.

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
        constant = spread <= 1e-12 * np.maximum(np.abs(mean), 1)
        may_miss = ~known.all(axis=0)
        if hide_bands:
            may_miss |= bands_of(names).any(axis=0)
        scale = np.where(constant, 1.0, spread)
        axes = np.eye(len(names))
        linear = [Feature.named(name).kind in ("magnitude", "color") for name in names]
        if any(linear) and not may_miss.any():
            turned = np.ix_(linear, linear)
            axes[turned] = principal_axes(((values - mean) / scale)[:, linear])
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
        """Return (n, f + m) float32 inputs of (n, f) float64 features.

        A missing feature is the mean, and 1 in the column that flags its absence.
        """
        values = (_logarithms(features, self.logarithmic) - self.mean) / self.scale
        missing = torch.isnan(values)
        values = values.clamp(-FEATURE_BOUND, FEATURE_BOUND).masked_fill(missing, 0.0)
        values = (values @ self.axes).clamp(-FEATURE_BOUND, FEATURE_BOUND)
        return torch.cat([values, missing[:, self.flagged].to(values.dtype)], dim=1).float()

    def unforeseen(self, features: np.ndarray) -> np.ndarray:
        """Return (n, f) bool: which features are missing and never were in training."""
        missing = np.isnan(features)
        missing[:, self.flagged.cpu().numpy()] = False
        return missing

    def require_known(self, features: np.ndarray, names: Sequence[str]) -> None:
        """Refuse features that are `unforeseen`: a ValueError names one and how many lack it."""
        missing = self.unforeseen(features)
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
    """What a network may be shown instead of the measured inputs.

    Attributes
    ----------
    sigma : (n, k) float32 tensor
        Magnitude error in each band, 0 where unknown; the bands are ugriz and those of features.
    response : (k, f) float32 tensor
        Change of each input with each magnitude.
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
    """Read the noise of (n, f) features from those among them that are magnitude errors.

    Parameters
    ----------
    features : (n, f) float64 array
        NaN where missing.
    names : sequence of str
        Names of the features. Without magnitude errors among them all noise is 0.
    inputs : PhotometricInputs
        Fitted to these features.
    """
    known = bands_among(names)
    response = np.zeros((len(known), len(names)))
    sigma = np.zeros((len(features), len(known)))
    for column, (_, kind, bands) in enumerate(map(Feature.named, names)):
        first = known.index(bands[0]) if bands else None
        if kind == "color":
            response[first, column] += 1
            response[known.index(bands[1]), column] -= 1
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
                np.minimum(sigma, 1.0),  # mag; beyond it the error says only that there is none
                response / inputs.scale.cpu().numpy() @ inputs.axes.cpu().numpy(),
                np.hstack([of_band, np.zeros_like(flagged)]),
                np.hstack([np.zeros_like(of_band), flagged]),
            )
        )
    )


def principal_axes(values: np.ndarray) -> np.ndarray:
    """Return the (f, f) matrix that makes (n, f) standardised values uncorrelated.

    A variance v becomes v^(1 - 2 STRETCH). Far values count as at the bound, as in the inputs. An
    axis along which there is nothing but rounding, as where colours stand beside their magnitudes,
    is 0.
    """
    bounded = np.clip(values, -FEATURE_BOUND, FEATURE_BOUND)
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(bounded, rowvar=False, ddof=0)))
    known = variances > FLATTEST_AXIS * variances.max(initial=1e-12)
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(axes))])
    return axes * np.where(known, np.where(known, variances, 1) ** -STRETCH, 0)


def _logarithms(features: torch.Tensor, logarithmic: torch.Tensor) -> torch.Tensor:
    return torch.where(logarithmic, torch.log(features.clamp(min=SMALLEST_ERROR)), features)
