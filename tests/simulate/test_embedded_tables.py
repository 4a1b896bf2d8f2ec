"""The embedded tables of the simulated sky are what the archives hold."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

from sdssflow.tables import content_digest, metadata, read_parquet

EMBEDDED = Path(__file__).parents[2] / "data/embedded"
TABLES = ("sky_galaxies", "sky_quasars", "sky_white_dwarfs")
ARCHIVES = Path(os.environ.get("SDSSFLOW_ARCHIVES", EMBEDDED / "archives"))

spec = importlib.util.spec_from_file_location("derive_sky", EMBEDDED / "derive_sky.py")
derive_sky = importlib.util.module_from_spec(spec)
spec.loader.exec_module(derive_sky)

SOURCES = (derive_sky.KCORRECT, derive_sky.BARAK, derive_sky.WDPHOTTOOLS)
needs_archives = pytest.mark.skipif(
    not all((ARCHIVES / name).is_file() for name, _ in SOURCES),
    reason="SDSSFLOW_ARCHIVES names no folder with the three archives (see data/README.md)",
)


@pytest.mark.parametrize("name", TABLES)
def test_content_is_the_recorded_one(name):
    recorded = json.loads((EMBEDDED / "sky_digests.json").read_text())
    table = read_parquet(EMBEDDED / f"{name}.parquet")
    assert content_digest(table) == recorded[name]
    assert set(recorded) == set(TABLES)
    assert "archive_sha256" in metadata(table.schema)


def test_licences_travel_with_the_tables():
    for package in ("kcorrect", "Barak", "WDPhotTools"):
        text = (EMBEDDED / f"LICENSE-{package}.txt").read_text()
        assert "Redistribution" in text
        assert "Copyright" in text


@needs_archives
def test_archives_give_the_committed_tables(tmp_path):
    derive_sky.derive(ARCHIVES, tmp_path)
    for name in TABLES:
        made = read_parquet(tmp_path / f"{name}.parquet")
        committed = read_parquet(EMBEDDED / f"{name}.parquet")
        assert made.schema.equals(committed.schema, check_metadata=True)
        for column in made.column_names:
            if made[column].type == "string":
                assert made[column].equals(committed[column])
            else:  # integrals: the last digit is the processor's
                np.testing.assert_allclose(made[column], committed[column], rtol=1e-5)


def test_another_archive_is_refused(tmp_path):
    for name, _ in SOURCES:
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(ValueError, match="SHA-256"):
        derive_sky.derive(tmp_path, tmp_path)
    assert not list(tmp_path.glob("*.parquet"))


def test_the_intergalactic_medium_absorbs_only_what_lies_behind_it():
    wavelength = np.array([3000.0, 3500.0, 4000.0, 4870.0])
    transmission = derive_sky.intergalactic_transmission(wavelength, 3.0)
    assert transmission[3] == 1  # redward of Lyman alpha at redshift 3
    assert (np.diff(transmission) > 0).all()


def test_lines_are_what_lies_over_the_power_law():
    wavelength = np.arange(1000.0, 8490.0, 0.5)
    power_law = wavelength**-1.5
    line = np.exp(-0.5 * ((wavelength - 2800) / 30) ** 2)
    alpha = 2 * np.exp(-0.5 * ((wavelength - derive_sky.LYMAN_ALPHA) / 10) ** 2)
    forest = np.where(wavelength < derive_sky.LYMAN_ALPHA, 0.5, 1)
    flux = power_law * forest * (1 + line + alpha)
    grid, continuum, total = derive_sky.continuum_and_total(wavelength, flux)
    red = grid >= 1200
    np.testing.assert_allclose(continuum[red], grid[red] ** -1.5, rtol=1e-6)
    # F_nu is steeper by one power of frequency below 1200 Å
    assert continuum[grid == 600] / 600**-1.5 == pytest.approx(0.5)
    excess = dict(zip(grid, total / continuum - 1, strict=True))
    assert excess[2800] == pytest.approx(1, abs=1e-3)
    # the forest of the composite's quasars is gone: the blue wing is the mirror of the red one
    assert excess[1206] == pytest.approx(excess[1225], rel=0.1)
    assert excess[1100] == excess[9000] == 0


def test_band_fluxes_of_a_flat_spectrum_are_equal():
    wavelength = np.arange(2900.0, 11300.0, 1.0)
    flat = (1 / wavelength**2)[None, :]  # F_nu constant
    fluxes = derive_sky.band_fluxes(wavelength, flat, np.zeros(5))[0]
    np.testing.assert_allclose(fluxes, fluxes[0], rtol=1e-3)
    brighter = derive_sky.band_fluxes(wavelength, flat, np.array([0.1, 0, 0, 0, 0]))[0]
    # m_AB - m = 0.1: the catalogue's magnitude is brighter than AB
    assert brighter[0] / fluxes[0] == pytest.approx(10**0.04)
