import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdssflow.acquire.schema import BANDS
from sdssflow.photometry import (
    SOFTENING,
    asinh_to_flux,
    flux_to_asinh,
    luptitude,
    pogson_to_flux,
    scale_extinction,
)

# zero-flux asinh magnitudes of the SDSS imaging pipeline
ZERO_FLUX = {"u": 24.63, "g": 25.11, "r": 24.80, "i": 24.36, "z": 22.83}


@pytest.mark.parametrize("band", BANDS)
def test_zero_flux_has_the_documented_magnitude(band):
    assert flux_to_asinh(0.0, band) == pytest.approx(ZERO_FLUX[band], abs=0.01)


@pytest.mark.parametrize("band", BANDS)
def test_bright_asinh_magnitudes_are_pogson_magnitudes(band):
    magnitude = np.array([12.0, 15.0, 18.0])
    assert flux_to_asinh(pogson_to_flux(magnitude), band) == pytest.approx(magnitude, abs=1e-3)


@given(st.floats(10, 30), st.sampled_from(BANDS))
def test_flux_and_back(magnitude, band):
    assert flux_to_asinh(asinh_to_flux(magnitude, band), band) == pytest.approx(magnitude, abs=1e-9)


@pytest.mark.parametrize("band", BANDS)
def test_negative_flux_has_a_finite_magnitude(band):
    assert np.isfinite(flux_to_asinh(-3 * SOFTENING[band], band))
    assert asinh_to_flux(ZERO_FLUX[band] + 1, band) < 0


def test_dereddening_in_flux_is_subtraction_for_bright_sources_only():
    assert luptitude(np.array([15.0]), "r", "asinh", 0.3) == pytest.approx(14.7, abs=1e-4)
    faint = luptitude(np.array([24.5]), "r", "asinh", 0.3)
    assert faint > 24.2 + 0.05
    zero_flux = flux_to_asinh(0.0, "r")
    assert luptitude(np.array([zero_flux]), "r", "asinh", 0.3) == pytest.approx(zero_flux)


def test_extinction_is_largest_in_u():
    scaled = [float(scale_extinction(0.1, "r", band)) for band in BANDS]
    assert scaled == sorted(scaled, reverse=True)
    assert scaled[2] == pytest.approx(0.1)
