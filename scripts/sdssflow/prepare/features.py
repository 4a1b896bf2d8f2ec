"""From a clean catalogue to the numbers that models see.

Features are made of magnitudes, their errors, and sizes. Redshifts, classes, ids, plates, fibres
and positions are not: there is no group that could name them, and `refuse_leaks` is asked again
before a table is written.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa

from sdssflow.acquire.schema import BANDS
from sdssflow.configuration.features import LEAKS, Features
from sdssflow.photometry import luptitude
from sdssflow.prepare.columns import numbers
from sdssflow.prepare.duplicates import object_keys
from sdssflow.prepare.extinction import extinction_to_subtract
from sdssflow.tables import metadata, with_metadata

CARRIED = ("plate", "ra", "dec", "spec_class", "zspec", "published_part")
ADJACENT = tuple(pairwise(BANDS))


def build_features(catalogue: pa.Table, settings: Features) -> pa.Table:
    """Build the feature table of a clean catalogue.

    Parameters
    ----------
    catalogue : pyarrow.Table
        Clean catalogue.
    settings : Features
        Groups of features and how magnitudes are treated.

    Returns
    -------
    pyarrow.Table
        ``row_id, object_key, reference_mag``, what of `CARRIED` the catalogue has, then the
        features as float64; their names in the metadata entry ``features``, and in ``deredden``
        whether extinction was subtracted: 'applied here', 'applied in source', 'unknown' or 'no'.

    Raises
    ------
    MissingColumnError
        If a group needs a column that the catalogue does not have.
    ValueError
        If a feature would leak the truth, or no row has a reference magnitude.
    """
    extinction, deredden = extinction_to_subtract(catalogue, settings)
    system = metadata(catalogue.schema).get("magnitude_system", "asinh")
    features: dict[str, np.ndarray] = {}
    for group in settings.groups:
        features |= GROUPS[group](catalogue, settings, extinction, system)
    refuse_leaks(features)
    reference = _dereddened(catalogue, settings, extinction)[settings.reference_band]
    columns = {
        "row_id": catalogue.column("row_id"),
        "object_key": object_keys(catalogue),
        "reference_mag": pa.array(reference, type=pa.float32(), from_pandas=True),
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
        deredden=deredden,
    )


def refuse_leaks(names: dict[str, np.ndarray] | list[str]) -> None:
    """Raise ValueError if a feature is, or is made of, something that gives the truth away."""
    for name in names:
        leaked = (
            name
            if name in LEAKS
            else next((part for part in name.split("_") if part in LEAKS), None)
        )
        if leaked:
            raise ValueError(
                f"feature {name!r} is refused: {LEAKS[leaked]}. Scores with it would mean nothing."
            )


def _raw(catalogue: pa.Table, kind: str, band: str, group: str, err: str = "") -> np.ndarray:
    return numbers(catalogue, f"{kind}_mag_{err}{band}", f"features.groups: {group}")


def _dereddened(
    catalogue, settings, extinction, group: str = "magnitudes"
) -> dict[str, np.ndarray]:
    return {
        band: _raw(catalogue, settings.magnitudes, band, group) - extinction[band] for band in BANDS
    }


def _magnitudes(catalogue, settings, extinction, system):
    mags = _dereddened(catalogue, settings, extinction)
    return {f"{settings.magnitudes}_mag_{band}": mags[band] for band in BANDS}


def _colors(catalogue, settings, extinction, system):
    mags = _dereddened(catalogue, settings, extinction, "colors")
    return {f"{settings.magnitudes}_color_{a}{b}": mags[a] - mags[b] for a, b in ADJACENT}


def _reference_magnitude(catalogue, settings, extinction, system):
    band = settings.reference_band
    mags = _dereddened(catalogue, settings, extinction, "reference_magnitude")
    return {f"{settings.magnitudes}_mag_{band}": mags[band]}


def _magnitude_errors(catalogue, settings, extinction, system):
    kind = settings.magnitudes
    return {
        f"{kind}_mag_err_{band}": _raw(catalogue, kind, band, "magnitude_errors", "err_")
        for band in BANDS
    }


def _color_errors(catalogue, settings, extinction, system):
    kind = settings.magnitudes
    error = {band: _raw(catalogue, kind, band, "color_errors", "err_") for band in BANDS}
    return {f"{kind}_color_err_{a}{b}": np.hypot(error[a], error[b]) for a, b in ADJACENT}


def _luptitudes(catalogue, settings, extinction, system):
    kind = settings.magnitudes
    return {
        f"{kind}_luptitude_{band}": luptitude(
            _raw(catalogue, kind, band, "luptitudes"), band, system, extinction[band]
        )
        for band in BANDS
    }


def _psf_minus(other: str):
    def difference(catalogue, settings, extinction, system):
        # both magnitudes suffer the same extinction: it cancels
        group = f"psf_minus_{other}"
        return {
            f"psf_minus_{other}_{band}": _raw(catalogue, "psf", band, group)
            - _raw(catalogue, other, band, group)
            for band in BANDS
        }

    return difference


def _resolved(catalogue, settings, extinction, system):
    """How extended an object is, after Clarke et al. 2020: near 0 for a point."""
    psf, cmodel = (_raw(catalogue, kind, "r", "resolved") for kind in ("psf", "cmodel"))
    return {"resolved_r": np.abs(psf - cmodel)}


def _petro_radius(catalogue, settings, extinction, system):
    return {"petro_rad_r": numbers(catalogue, "petro_rad_r", "features.groups: petro_radius")}


GROUPS = {
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
}
