"""Fit spectra of galaxies to magnitudes with BPZ: no training, physics alone; one whole process.

    DIR/bin/python benchmarks/peers/run_templates.py ROWS.npz OUT.npz

ROWS.npz is what `compare_templates.py` writes: (n, 5) `magnitudes` (AB, ugriz) and `errors`, and
the `highest` redshift; no redshift of an object is there. OUT.npz has for each prior, `flat` and
`hdfn`, the (n,) mean and mode of p(z).

Likelihood (class `p_c_z_t`), prior (Benitez 2000, of the Hubble Deep Field, whose brightest
magnitude of 20 stands for all brighter objects) and the eight spectra of the list CWWSB4 (Benitez
et al. 2004) are those of desc-bpz, two more between each pair of neighbours as its manual advises;
the filters are sdss2010 of speclite. Errors get 0.02 mag in quadrature for the zero points and for
what eight spectra can't be. Steps of 0.001 in z.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from pathlib import Path

import desc_bpz
import numpy as np
from astropy import units
from desc_bpz.bpz_tools_py3 import p_c_z_t
from desc_bpz.prior_hdfn_gen import function as hdfn
from speclite.filters import load_filters

SPECTRA = Path(desc_bpz.__file__).parent / "data_files/SED"
BETWEEN = 2  # spectra between each pair
FLOOR = 0.02  # mag
STEP = 0.001
PRIOR_BAND = 3  # i, next to the F814W of the prior
KINDS = (1, 2, 5)  # elliptical, spiral, irregular and starburst spectra, as BPZ counts them
FLUX = units.Unit("erg / (s cm2 Angstrom)")


def template_fluxes(redshifts: np.ndarray) -> np.ndarray:
    """Return the (z, t, 5) AB fluxes of the spectra, those between neighbours as their means."""
    filters = load_filters("sdss2010-*")
    names = (SPECTRA / "CWWSB4.list").read_text().split()
    fluxes = np.empty((len(redshifts), len(names), len(filters)))
    for place, name in enumerate(names):
        wavelength, flux = np.loadtxt(SPECTRA / name, unpack=True)
        for row, redshift in enumerate(redshifts):
            shifted = wavelength * (1 + redshift) * units.AA
            maggies = filters.get_ab_maggies(flux * FLUX, shifted)
            fluxes[row, place] = list(maggies[0])
    fluxes /= fluxes[:, :, 2:3]  # BPZ fits the amplitude
    steps = np.arange((len(names) - 1) * (BETWEEN + 1) + 1) / (BETWEEN + 1)
    below = np.minimum(steps.astype(int), len(names) - 2)
    weight = (steps - below)[None, :, None]
    return (1 - weight) * fluxes[:, below] + weight * fluxes[:, below + 1]


def prior(redshifts: np.ndarray, magnitude: float, spectra: int) -> np.ndarray:
    """Return the (z, t) prior of BPZ, interpolated between its kinds of spectra."""
    known = hdfn(redshifts, magnitude, list(KINDS))
    steps = np.linspace(0, known.shape[1] - 1, spectra)
    below = np.minimum(steps.astype(int), known.shape[1] - 2)
    weight = steps - below
    return (1 - weight) * known[:, below] + weight * known[:, below + 1]


def main() -> None:
    given, out = map(Path, sys.argv[1:3])
    with np.load(given) as file:
        magnitudes, errors, highest = file["magnitudes"], file["errors"], float(file["highest"])
    started = time.process_time()
    redshifts = np.arange(STEP, highest + STEP / 2, STEP)
    templates = template_fluxes(redshifts)
    fluxes = 10 ** (-0.4 * (magnitudes - magnitudes[:, 2:3]))
    noise = fluxes * np.hypot(errors, FLOOR) * 0.4 * np.log(10)
    found = {f"{name}_{point}": np.empty(len(fluxes))
             for name in ("flat", "hdfn") for point in ("mean", "mode")}  # fmt: skip
    for row, (flux, error) in enumerate(zip(fluxes, noise, strict=True)):
        likelihood = p_c_z_t(flux, error, templates).bayes_likelihood()
        priors = {
            "flat": 1.0,
            "hdfn": prior(redshifts, magnitudes[row, PRIOR_BAND], likelihood.shape[1]),
        }
        for name, weight in priors.items():
            density = (likelihood * weight).sum(axis=1)
            density /= density.sum()
            found[f"{name}_mean"][row] = density @ redshifts
            found[f"{name}_mode"][row] = redshifts[density.argmax()]
    np.savez(out, **found)
    versions = {name: importlib.metadata.version(name) for name in ("desc-bpz", "speclite")}
    told = {"versions": versions, "cpu_s": time.process_time() - started}
    out.with_suffix(".json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
