"""Derive the tables behind the simulated sky from three packages of PyPI.

    PYTHONPATH=scripts python data/embedded/derive_sky.py FOLDER_WITH_ARCHIVES [OUTPUT_FOLDER]

How to get the archives is in ``data/README.md``. They are checked by SHA-256 and their members read
in place; nothing of them is unpacked, installed or run.

========================== ================================================================
table                      from
========================== ================================================================
sky_galaxies.parquet       kcorrect 5.1.9: the five templates of Blanton & Roweis 2007 (AJ 133,
                           734) and the template of luminous red galaxies
sky_quasars.parquet        Barak 0.3.2: the composite quasar of the SDSS
sky_white_dwarfs.parquet   WDPhotTools 0.0.14: synthetic SDSS photometry of the Montreal group
========================== ================================================================

Galaxies and quasars are fluxes through the SDSS filters (speclite, ``sdss2010``) on a grid of
redshifts: no spectrum is copied.
"""

from __future__ import annotations

import argparse
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy.io import fits
from speclite.filters import load_filters

from sdssflow.files import file_digest, write_json
from sdssflow.tables import content_digest, with_metadata, write_parquet

BANDS = ("u", "g", "r", "i", "z")
KCORRECT = (
    "kcorrect-5.1.9-py3-none-any.whl",
    "6234e449d3b3088e3132d1193f8c7e7a544b73e241c07fbfbda2c08da80622e2",
)
BARAK = (
    "Barak-0.3.2.tar.gz",
    "be79d562a0a4c0426dc960eeec74fa2497b40e0ac1a2465b8200c7f28b8dfee3",
)
WDPHOTTOOLS = (
    "wdphottools-0.0.14-py3-none-any.whl",
    "5dd70209d0557387cc2424d04595c141894a11a380d8dee346349936e0b2699b",
)
COMPOSITE = "Barak-0.3.2/barak/data/templates/qso/dr1QSOspec.fits"
COMPOSITE_END = 8300.0  # Å; what is beyond is noise
GALAXY_REDSHIFTS = np.round(np.arange(0, 1.2001, 0.01), 2)
QUASAR_REDSHIFTS = np.round(np.arange(0, 7.001, 0.02), 2)
# Catalogue magnitudes are not AB. The galaxy templates were made with these corrections (in
# kcorrect.utils.sdss_ab_correct, for m_AB - m); SDSS spectra are calibrated to SDSS photometry of
# stars, which is AB but in u, where the SDSS flux calibration page has m_AB - m = -0.04
GALAXY_AB = np.array([-0.036, 0.012, 0.010, 0.028, 0.040])
QUASAR_AB = np.array([-0.04, 0.0, 0.0, 0.0, 0.0])
# Å; a median over each window
LINE_FREE = ((1340, 1360), (4200, 4230))
LYMAN_ALPHA, LYMAN_LIMIT = 1215.67, 912.0
# Madau 1995 (ApJ 441, 18), equations 12 and 15, with the wavelengths he uses
LYMAN_SERIES = {1216.0: 0.0036, 1026.0: 0.0017, 973.0: 0.0012, 950.0: 0.00093}
# of his optical depth in lines: quasars of the SDSS at redshifts 2.3 to 3.3 are bluer in g - r
LINE_OPACITY = 0.75


def band_fluxes(wavelength: np.ndarray, spectra: np.ndarray, to_ab: np.ndarray) -> np.ndarray:
    """Fluxes through the SDSS filters.

    Parameters
    ----------
    wavelength : (w,) array
        Observed wavelength in Å, ascending, covering all filters.
    spectra : (n, w) array
        F_lambda in any unit.
    to_ab : (5,) array
        AB magnitude minus catalogue magnitude.

    Returns
    -------
    (n, 5) array
        u, g, r, i, z in units in which a source of constant F_nu has equal fluxes, but for the
        offsets of the catalogue magnitudes from AB.
    """
    fluxes = []
    for band, offset in zip(BANDS, to_ab, strict=True):
        curve = load_filters(f"sdss2010-{band}")[0]
        # weights on the spectrum's own grid: photons counted, over those of a flat F_nu
        response = np.interp(wavelength, curve.wavelength, curve.response, left=0, right=0)
        counts = np.trapezoid(spectra * wavelength * response, wavelength, axis=1)
        flat = np.trapezoid(response / wavelength, wavelength)
        fluxes.append(counts / flat * 10 ** (0.4 * offset))
    return np.stack(fluxes, axis=1)


def derive_galaxies(archive: Path) -> pa.Table:
    """Return fluxes of six galaxy templates at 121 redshifts.

    Fluxes are in units of the template's r flux at redshift 0, at the same bolometric distance: a
    galaxy of absolute magnitude M_r has the flux 10^(-0.4 (M_r + distance modulus)) times the
    entry.
    """
    parts = []
    with zipfile.ZipFile(archive) as folder:
        for name in ("default", "lrg1"):
            content = folder.read(f"kcorrect/data/templates/kcorrect-{name}-v4.fits")
            with fits.open(io.BytesIO(content)) as file:
                row = file["FLUX"].data[0]
                wavelength = np.asarray(row["wave"], dtype=float).ravel()
                spectra = np.asarray(row["flux"], dtype=float).reshape(-1, len(wavelength))
            parts.append((name, wavelength, spectra))
    columns: dict[str, list] = {"template": [], "redshift": [], **{band: [] for band in BANDS}}
    for name, wavelength, spectra in parts:
        rest = band_fluxes(wavelength, spectra, GALAXY_AB)[:, 2]
        for redshift in GALAXY_REDSHIFTS:
            observed = wavelength * (1 + redshift)
            moved = band_fluxes(observed, spectra / (1 + redshift), GALAXY_AB)
            for number, fluxes in enumerate(moved / rest[:, None]):
                columns["template"].append(f"{name}{number}" if name == "default" else name)
                columns["redshift"].append(float(redshift))
                for band, flux in zip(BANDS, fluxes, strict=True):
                    columns[band].append(flux)
    return _table(columns, "kcorrect 5.1.9, kcorrect/data/templates", KCORRECT)


def read_composite(archive: Path) -> tuple[np.ndarray, np.ndarray]:
    """Wavelength (Å) and relative F_lambda of the composite quasar of the SDSS."""
    with tarfile.open(archive) as folder, fits.open(folder.extractfile(COMPOSITE)) as file:
        table = file[1].data
        return np.asarray(table["wa"], dtype=float), np.asarray(table["fl"], dtype=float)


def continuum_and_total(
    wavelength: np.ndarray, flux: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Extend the composite to 400-13000 Å and split off its lines.

    The continuum is the power law between two windows without strong lines; lines are the composite
    over it. The composite has no light of host galaxies to leave out: at 5600-5750 and 7900-8050 Å
    it is within 3 % of that power law. Below Lyman alpha, where it is absorbed by the intergalactic
    medium of its own quasars, there are no lines, and from 1200 Å down F_nu falls by one power of
    frequency more (``plbrk3``, ``plstep`` of Temple, Hewett & Banerji 2021, MNRAS 508, 737).

    Returns
    -------
    wavelength, continuum, total : (n,) arrays
        Å; F_lambda without and with lines, not absorbed.
    """
    blue, red = (np.mean(window) for window in LINE_FREE)
    levels = [np.median(flux[(wavelength >= a) & (wavelength <= b)]) for a, b in LINE_FREE]
    slope = np.log(levels[1] / levels[0]) / np.log(red / blue)
    grid = np.arange(400.0, 13000.0, 1.0)
    continuum = levels[0] * (grid / blue) ** slope
    lines = np.ones_like(grid)
    inside = (grid >= LYMAN_ALPHA) & (grid <= COMPOSITE_END)
    lines[inside] = np.interp(grid[inside], wavelength, flux) / continuum[inside]
    continuum[grid < 1200] *= grid[grid < 1200] / 1200
    # the blue wing of Lyman alpha is absorbed in the composite: mirror the red one
    wing = (grid < LYMAN_ALPHA) & (grid > 1190)
    lines[wing] = np.maximum(np.interp(2 * LYMAN_ALPHA - grid[wing], grid, lines), 1)
    return grid, continuum, continuum * lines


def intergalactic_transmission(wavelength: np.ndarray, redshift: float) -> np.ndarray:
    """Mean transmission of the intergalactic medium by Madau 1995.

    Parameters
    ----------
    wavelength : (n,) array
        Observed, Å.
    redshift : float
        Of the source.
    """
    depth = np.zeros_like(wavelength)
    for line, strength in LYMAN_SERIES.items():
        depth += np.where(
            wavelength < line * (1 + redshift),
            LINE_OPACITY * strength * (wavelength / line) ** 3.46,
            0,
        )
    # equation 16 and its footnote 3, the continuum of absorbers up to the source
    xc, xem = np.maximum(wavelength / LYMAN_LIMIT, 1.0), 1 + redshift
    xc = np.minimum(xc, xem)
    depth += (
        0.25 * xc**3 * (xem**0.46 - xc**0.46)
        + 9.4 * xc**1.5 * (xem**0.18 - xc**0.18)
        - 0.7 * xc**3 * (xc**-1.32 - xem**-1.32)
        - 0.023 * (xem**1.68 - xc**1.68)
    ).clip(min=0)
    return np.exp(-depth)


def derive_quasars(archive: Path) -> pa.Table:
    """Return fluxes of the composite and of its continuum at 351 redshifts.

    Fluxes are in units of the i flux of the composite at redshift 2: a quasar of M_i(z = 2) =
    M has the flux 10^(-0.4 (M + distance modulus)) times the entry, as Richards et al. 2006 (AJ
    131, 2766) define that magnitude but for their fixed K correction of the continuum at z = 2.
    """
    grid, continuum, total = continuum_and_total(*read_composite(archive))
    spectra = np.stack([total, continuum])
    rows = []
    for redshift in QUASAR_REDSHIFTS:
        observed = grid * (1 + redshift)
        seen = spectra * intergalactic_transmission(observed, redshift) / (1 + redshift)
        wide = np.arange(2900.0, 11300.0, 1.0)
        resampled = np.stack([np.interp(wide, observed, one, left=0.0) for one in seen])
        rows.append(band_fluxes(wide, resampled, QUASAR_AB))
    fluxes = np.array(rows)  # (redshift, spectrum, band)
    fluxes /= fluxes[np.searchsorted(QUASAR_REDSHIFTS, 2.0), 0, 3]
    columns: dict[str, object] = {"redshift": QUASAR_REDSHIFTS}
    for spectrum, name in enumerate(("total", "continuum")):
        columns |= {f"{name}_{b}": fluxes[:, spectrum, i] for i, b in enumerate(BANDS)}
    return _table(columns, "Barak 0.3.2, barak/data/templates/qso/dr1QSOspec.fits", BARAK)


def derive_white_dwarfs(archive: Path) -> pa.Table:
    """Return absolute SDSS magnitudes of white dwarfs with pure hydrogen and helium atmospheres."""
    columns: dict[str, list] = {
        **{name: [] for name in ("atmosphere", "temperature", "log_gravity")},
        **{band: [] for band in BANDS},
    }
    with zipfile.ZipFile(archive) as folder:
        for atmosphere in ("DA", "DB"):
            path = f"WDPhotTools/wd_photometry/Table_{atmosphere}_13012021.txt"
            lines = folder.read(path).decode().splitlines()
            names = lines[1].replace("log g", "logg").split()
            first = names.index("u")  # SDSS u g r i z; the g after them is Pan-STARRS
            if names[first : first + 5] != list(BANDS):
                raise ValueError(f"{archive}: {path} has no SDSS columns u g r i z in that order")
            for row in filter(None, (_numbers(line) for line in lines[2:])):
                columns["atmosphere"].append(atmosphere)
                columns["temperature"].append(row[0])
                columns["log_gravity"].append(row[1])
                for band, value in zip(BANDS, row[first : first + 5], strict=True):
                    columns[band].append(value)
    return _table(columns, "WDPhotTools 0.0.14, WDPhotTools/wd_photometry", WDPHOTTOOLS)


def derive(archives: Path, output: Path) -> None:
    """Check the archives and write the tables and ``sky_digests.json`` to `output`.

    Raises
    ------
    ValueError
        If an archive has another content than the published one.
    FileNotFoundError
        If an archive is missing.
    """
    for name, expected in (KCORRECT, BARAK, WDPHOTTOOLS):
        found = file_digest(archives / name)
        if found != expected:
            raise ValueError(f"{archives / name}: SHA-256 is {found}, not {expected}")
    tables = {
        "sky_galaxies": derive_galaxies(archives / KCORRECT[0]),
        "sky_quasars": derive_quasars(archives / BARAK[0]),
        "sky_white_dwarfs": derive_white_dwarfs(archives / WDPHOTTOOLS[0]),
    }
    for name, table in tables.items():
        write_parquet(table, output / f"{name}.parquet")
    digests = {name: content_digest(table) for name, table in tables.items()}
    write_json(output / "sky_digests.json", digests)


def _table(columns: dict[str, object], origin: str, archive: tuple[str, str]) -> pa.Table:
    # six digits are far below the accuracy of any template; float32 keeps the tables small
    arrays = {
        name: pa.array(values) if name in ("template", "atmosphere") else _float32(values)
        for name, values in columns.items()
    }
    return with_metadata(pa.table(arrays), origin=origin, archive_sha256=archive[1])


def _float32(values: object) -> pa.Array:
    return pa.array(np.asarray(values, dtype=np.float32))


def _numbers(line: str) -> list[float] | None:
    try:
        return [float(word) for word in line.split()] or None
    except ValueError:
        return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archives", type=Path, help="folder with the three archives")
    parser.add_argument("output", type=Path, nargs="?", default=Path(__file__).parent)
    arguments = parser.parse_args()
    derive(arguments.archives, arguments.output)
