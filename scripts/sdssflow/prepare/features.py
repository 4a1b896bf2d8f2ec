"""From a clean catalogue to the features of models.

Features are made of magnitudes, their errors, and sizes. Redshifts, classes, ids, plates, fibres
and positions are not: no group can name them, and `refuse_leaks` checks again before a table is
written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sdssflow.acquire.schema import BANDS, known_column
from sdssflow.bands import WISE_BANDS
from sdssflow.configuration.features import Features
from sdssflow.configuration.leaks import leak_of
from sdssflow.photometry import luptitude
from sdssflow.prepare.columns import measurements, numbers
from sdssflow.prepare.duplicates import object_keys
from sdssflow.prepare.extinction import extinction_to_subtract
from sdssflow.prepare.feature_columns import Feature
from sdssflow.prepare.leaks import refuse_copies
from sdssflow.tables import metadata, with_metadata

CARRIED = ("plate", "ra", "dec", "spec_class", "zspec", "published_part")
ADJACENT = tuple(pairwise(BANDS))


def build_features(catalogue: pa.Table, settings: Features) -> pa.Table:
    """Build the feature table of a clean catalogue.

    Returns
    -------
    pyarrow.Table
        ``row_id, object_key, reference_mag``, those of `CARRIED` that the catalogue has, then the
        features as float64. In the metadata, ``features`` has their names and ``deredden`` the
        decision of `extinction_to_subtract`.

    Raises
    ------
    ValueError
        If a group needs a column that the catalogue does not have (MissingColumnError), a feature
        would leak the truth, or no row has a reference magnitude.
    """
    measured = measured_features(catalogue, settings)
    features = measured.features
    refuse_copies(features, catalogue)
    columns = {
        "row_id": catalogue.column("row_id"),
        "object_key": object_keys(catalogue),
        "reference_mag": pa.array(measured.reference_mag, type=pa.float32(), from_pandas=True),
        **{name: catalogue.column(name) for name in CARRIED if name in catalogue.column_names},
        **{
            name: pa.array(values, type=pa.float64(), from_pandas=True)
            for name, values in features.items()
        },
    }
    return with_metadata(
        pa.table(columns),
        sample=metadata(catalogue.schema).get("sample", ""),
        features=list(features),
        deredden=measured.deredden,
    )


class Measured(NamedTuple):
    """Features of n objects.

    Attributes
    ----------
    features : dict of str to (n,) float64 array
        By name, in the order for models; NaN where missing.
    reference_mag : (n,) float64 array
        Reference magnitude in mag.
    deredden : str
        The decision of `extinction.extinction_to_subtract`.
    """

    features: dict[str, np.ndarray]
    reference_mag: np.ndarray
    deredden: str


def measured_features(catalogue: pa.Table, settings: Features) -> Measured:
    """Return the features of a catalogue; raises as `build_features` does."""
    extinction, deredden = extinction_to_subtract(catalogue, settings)
    declared: dict[Feature, np.ndarray] = {}
    for group in settings.groups:
        declared |= GROUPS[group](Photometry(catalogue, settings, extinction, group))
    features = {feature.name: values for feature, values in declared.items()}
    refuse_leaks(features)
    reference = Photometry(catalogue, settings, extinction, "magnitudes")
    band = settings.reference_band
    return Measured(features, reference.measured(band) - extinction[band], deredden)


def needed_columns(settings: Features, schema: pa.Schema) -> list[str]:
    """Return the columns of a catalogue, of this schema, that the features need.

    Extinction is not among them.
    """
    needed: dict[str, None] = {}
    for name in chain.from_iterable(settings.needs.values()):
        needed.setdefault(name)
        limit = known_column(schema.field(name)).limit_without
        if limit in schema.names:
            needed.setdefault(limit)
    return list(needed)


def refuse_leaks(names: dict[str, np.ndarray] | list[str]) -> None:
    """Raise ValueError if a feature leaks the truth by its name."""
    for name in names:
        if reason := leak_of(name):
            raise ValueError(
                f"feature {name!r} is refused: {reason}. Scores with it would mean nothing."
            )


@dataclass(frozen=True)
class Photometry:
    """The magnitudes of n objects of a clean catalogue, for a feature group.

    `extinction` is subtracted in each band, in mag; errors name the `group`.
    """

    catalogue: pa.Table
    settings: Features
    extinction: dict[str, np.ndarray]
    group: str

    def column(self, name: str) -> np.ndarray:
        """Return a column of the catalogue, (n,) float64."""
        return numbers(self.catalogue, name, f"features.groups: {self.group}")

    def measured(self, band: str, magnitudes: str | None = None) -> np.ndarray:
        """Return magnitudes of the catalogue in mag, by default those of the settings."""
        return self.column(f"{magnitudes or self.settings.magnitudes}_mag_{band}")

    def errors(self, band: str) -> np.ndarray:
        """Return the errors of the magnitudes of the settings, in mag."""
        return self.column(f"{self.settings.magnitudes}_mag_err_{band}")

    def further(self, name: str) -> tuple[np.ndarray, Columns]:
        """Return the `measurements` of a column beyond ugriz.

        Their non-detections are a feature of their own, if there are any.
        """
        by = f"features.groups: {self.group}"
        values, missed = measurements(self.catalogue, name, by)
        feature = Feature.named(name)
        flag = Feature(f"{feature.quantity}_not_detected", "other", feature.bands)
        return values, {} if missed is None else {flag: missed}

    def dereddened(self) -> dict[str, np.ndarray]:
        """Return the magnitudes of the settings in each band, corrected for extinction."""
        return {band: self.measured(band) - self.extinction[band] for band in BANDS}


Columns = dict[Feature, np.ndarray]


def _magnitudes(photometry: Photometry) -> Columns:
    quantity = f"{photometry.settings.magnitudes}_mag"
    mags = photometry.dereddened()
    return {Feature(quantity, "magnitude", (band,)): mags[band] for band in BANDS}


def _colors(photometry: Photometry) -> Columns:
    quantity = f"{photometry.settings.magnitudes}_color"
    mags = photometry.dereddened()
    return {Feature(quantity, "color", (a, b)): mags[a] - mags[b] for a, b in ADJACENT}


def _reference_magnitude(photometry: Photometry) -> Columns:
    band = photometry.settings.reference_band
    feature = Feature(f"{photometry.settings.magnitudes}_mag", "magnitude", (band,))
    return {feature: photometry.dereddened()[band]}


def _magnitude_errors(photometry: Photometry) -> Columns:
    quantity = f"{photometry.settings.magnitudes}_mag_err"
    return {Feature(quantity, "error", (band,)): photometry.errors(band) for band in BANDS}


def _color_errors(photometry: Photometry) -> Columns:
    quantity = f"{photometry.settings.magnitudes}_color_err"
    error = {band: photometry.errors(band) for band in BANDS}
    return {Feature(quantity, "error", (a, b)): np.hypot(error[a], error[b]) for a, b in ADJACENT}


def _luptitudes(photometry: Photometry) -> Columns:
    quantity = f"{photometry.settings.magnitudes}_luptitude"
    system = metadata(photometry.catalogue.schema).get("magnitude_system", "asinh")
    return {
        Feature(quantity, "magnitude", (band,)): luptitude(
            photometry.measured(band), band, system, photometry.extinction[band]
        )
        for band in BANDS
    }


def _psf_minus(other: str) -> Callable[[Photometry], Columns]:
    def difference(photometry: Photometry) -> Columns:
        # the extinction of both magnitudes cancels
        return {
            Feature(f"psf_minus_{other}", "other", (band,)): photometry.measured(band, "psf")
            - photometry.measured(band, other)
            for band in BANDS
        }

    return difference


def _resolved(photometry: Photometry) -> Columns:
    """Extendedness after Clarke et al. 2020: near 0 for a point source."""
    psf, cmodel = (photometry.measured("r", kind) for kind in ("psf", "cmodel"))
    return {Feature("resolved", "other", ("r",)): np.abs(psf - cmodel)}


def _petro_radius(photometry: Photometry) -> Columns:
    return {Feature("petro_rad", "other", ("r",)): photometry.column("petro_rad_r")}


def _concentration(photometry: Photometry) -> Columns:
    """Above 2.6 mostly galaxies of early type (Strateva et al. 2001, AJ 122, 1861)."""
    r50, r90 = (photometry.column(f"petro_r{share}_r") for share in (50, 90))
    ratio = np.divide(r90, r50, out=np.full(len(r50), np.nan), where=r50 > 0)
    return {Feature("concentration", "other", ("r",)): ratio}


def _shape(photometry: Photometry) -> Columns:
    names = ("axis_ratio_dev_r", "axis_ratio_exp_r", "frac_dev_r")
    return {Feature.named(name): photometry.column(name) for name in names}


def _wise_colors(photometry: Photometry) -> Columns:
    """Colours from r, corrected for extinction, to W4; r (AB) - W1 (Vega) has a constant offset."""
    mags = {"r": photometry.measured("r") - photometry.extinction["r"]}
    missed: Columns = {}
    for band in WISE_BANDS:
        mags[band], flag = photometry.further(f"wise_mag_{band}")
        missed |= flag
    first = Feature(f"{photometry.settings.magnitudes}_color", "color", ("r", "w1"))
    others = [Feature("wise_color", "color", pair) for pair in pairwise(WISE_BANDS)]
    colors = {color: mags[color.bands[0]] - mags[color.bands[1]] for color in (first, *others)}
    return colors | missed


def _extra(photometry: Photometry) -> Columns:
    found: Columns = {}
    for name in photometry.settings.extra:
        values, missed = photometry.further(name)
        found |= {Feature.named(name): values} | missed
    return found


GROUPS: dict[str, Callable[[Photometry], Columns]] = {
    "magnitudes": _magnitudes,
    "colors": _colors,
    "reference_magnitude": _reference_magnitude,
    "magnitude_errors": _magnitude_errors,
    "color_errors": _color_errors,
    "luptitudes": _luptitudes,
    "psf_minus_model": _psf_minus("model"),
    "psf_minus_petro": _psf_minus("petro"),
    "psf_minus_cmodel": _psf_minus("cmodel"),
    "resolved": _resolved,
    "petro_radius": _petro_radius,
    "concentration": _concentration,
    "shape": _shape,
    "wise_colors": _wise_colors,
    "extra": _extra,
}
