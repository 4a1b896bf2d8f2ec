"""Stars: the stellar locus by metallicity, giants, blue horizontal branch, white and M dwarfs.

================ ==============================================================================
population       colours
================ ==============================================================================
dwarfs           Yuan et al. 2015 (ApJ 799, 134), table 1: loci of g - i and [Fe/H]
giants           Zhang et al. 2021 (RAA 21, 319), table 1: the same for red giants
M dwarfs         g - r as a function of r - z by Bochanski et al. 2012, beyond g - i = 1.6
white dwarfs     cooling sequences of the Montreal group
blue branch      a line through the box of blue horizontal branch stars of Sirko et al. 2004
================ ==============================================================================
"""

from __future__ import annotations

import numpy as np

from skyserver_standin.sky import conventions as bits
from skyserver_standin.sky.grids import white_dwarf_magnitudes
from skyserver_standin.sky.instruments import STAR, Sources, mag_to_flux

LIGHT_SPEED = 299792.458  # km/s
# u - g: powers (of g - i, of [Fe/H]) and coefficients
YUAN_UG = (
    *((0, 0, 1.5003), (0, 1, 0.0011), (0, 2, 0.1741), (0, 3, 0.0910), (0, 4, 0.0181)),
    *((1, 0, -3.2190), (1, 1, 1.1675), (1, 2, 0.0875), (1, 3, 0.0031), (2, 0, 7.9725)),
    *((2, 1, -0.8190), (2, 2, -0.0439), (3, 0, -5.2923), (3, 1, 0.1339), (4, 0, 1.1459)),
)
YUAN_GR = (
    *((0, 0, 0.0596), (0, 1, 0.0348), (0, 2, 0.0239), (0, 3, 0.0044), (1, 0, 0.6070)),
    *((1, 1, 0.0261), (1, 2, -0.0044), (2, 0, 0.1532), (2, 1, -0.0136), (3, 0, -0.0613)),
)
YUAN_IZ = (
    *((0, 0, -0.1060), (0, 1, -0.0357), (0, 2, -0.0123), (0, 3, -0.0017), (1, 0, 0.2543)),
    *((1, 1, -0.0010), (1, 2, -0.0050), (2, 0, -0.0381), (2, 1, -0.0071), (3, 0, 0.0030)),
)
ZHANG_UG = (
    *((0, 0, 1.4630), (0, 1, 0.3132), (0, 2, -0.0105), (0, 3, -0.0224), (1, 0, -1.5851)),
    *((1, 1, -0.2423), (1, 2, -0.0372), (2, 0, 2.8655), (2, 1, 0.0958), (3, 0, -0.7469)),
)
ZHANG_GR = (
    *((0, 0, 0.0957), (0, 1, 0.0370), (0, 2, 0.0120), (0, 3, 0.0020), (1, 0, 0.5272)),
    *((1, 1, -0.0026), (1, 2, 0.0019), (2, 0, 0.1645), (2, 1, 0.0057), (3, 0, -0.0488)),
)
ZHANG_IZ = (
    *((0, 0, -0.0551), (0, 1, -0.0229), (0, 2, -0.0165), (0, 3, -0.0033), (1, 0, 0.0762)),
    *((1, 1, -0.0365), (1, 2, -0.0006), (2, 0, 0.1899), (2, 1, 0.0244), (3, 0, -0.0805)),
)
# g - r against r - z, constant term first; valid for 0.8 < r - z < 3.6
BOCHANSKI = (-14.8952, 47.8830, -56.3038, 34.1232, -11.2926, 1.94407, -0.136479)


def polynomial(
    terms: tuple[tuple[int, int, float], ...], x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Sum of coefficient x^p y^q over terms (p, q, coefficient)."""
    return sum(coefficient * x**p * y**q for p, q, coefficient in terms)


def dwarf_colors(gi: np.ndarray, metallicity: np.ndarray) -> np.ndarray:
    """Colours u-g, g-r, r-i, i-z (n, 4) of main-sequence stars, 0.3 < g - i < 1.6, -2 < [Fe/H] < 0.

    >>> dwarf_colors(np.array([0.6]), np.array([-0.5])).round(3)
    array([[1.269, 0.448, 0.152, 0.049]])
    """
    gr = polynomial(YUAN_GR, gi, metallicity)
    ug = polynomial(YUAN_UG, gi, metallicity)
    return np.stack([ug, gr, gi - gr, polynomial(YUAN_IZ, gi, metallicity)], axis=1)


def giant_colors(gi: np.ndarray, metallicity: np.ndarray) -> np.ndarray:
    """Colours u-g, g-r, r-i, i-z (n, 4) of red giants, 0.55 < g - i < 1.2, -2.5 < [Fe/H] < -0.3."""
    gr = polynomial(ZHANG_GR, gi, metallicity)
    ug = polynomial(ZHANG_UG, gi, metallicity)
    return np.stack([ug, gr, gi - gr, polynomial(ZHANG_IZ, gi, metallicity)], axis=1)


def red_dwarf_colors(rz: np.ndarray) -> np.ndarray:
    """Colours u-g, g-r, r-i, i-z (n, 4) of K5 to M9 dwarfs of the disk.

    u - g is 2.55 (the SDSS hardly detects these stars in u) and r - i is 0.645 (r - z): round
    numbers from the mean colours of M dwarfs in the SDSS.
    """
    gr = sum(coefficient * rz**power for power, coefficient in enumerate(BOCHANSKI))
    return np.stack([np.full_like(rz, 2.55), gr, 0.645 * rz, 0.355 * rz], axis=1)


def blue_branch_colors(gr: np.ndarray) -> np.ndarray:
    """Colours u-g, g-r, r-i, i-z (n, 4) of A stars and blue horizontal branch stars."""
    ug = 1.15 - 1.6 * np.maximum(-gr - 0.20, 0) - 0.9 * np.maximum(gr, 0)
    return np.stack([ug, gr, 0.55 * gr - 0.07, 0.25 * gr - 0.07], axis=1)


# components: mean g - i, its scatter, mean [Fe/H], its scatter
COMPONENTS = {
    "halo": (0.48, 0.14, -1.40, 0.35),
    "thick": (0.64, 0.15, -0.75, 0.30),
    "thin": (0.92, 0.26, -0.25, 0.20),
    "cool": (1.40, 0.20, -0.30, 0.20),
    "standard": (0.36, 0.06, -1.40, 0.40),
    # SEGUE's G dwarfs, chosen at g - r near 0.5
    "g_dwarf": (0.735, 0.045, -0.55, 0.40),
}
# fractions of the components of each sample of stars
SAMPLES = {
    "legacy": {
        **{"halo": 0.21, "thick": 0.26, "thin": 0.18, "cool": 0.07, "blue": 0.07},
        **{"giant": 0.02, "white": 0.07, "red": 0.12, "pair": 0.004},
    },
    "segue": {
        **{"halo": 0.20, "thick": 0.18, "thin": 0.19, "g_dwarf": 0.27, "cool": 0.05},
        **{"blue": 0.08, "giant": 0.03, "white": 0.01, "red": 0.02},
    },
    "boss": {
        **{"standard": 0.13, "halo": 0.16, "thick": 0.12, "thin": 0.06, "cool": 0.14},
        **{"blue": 0.04, "white": 0.04, "red": 0.33, "pair": 0.004},
    },
    "field": {
        **{"halo": 0.20, "thick": 0.25, "thin": 0.15, "cool": 0.13},
        **{"blue": 0.01, "giant": 0.01, "white": 0.01, "red": 0.24},
    },
}
# bits of the target selection; '' is that of all other stars
TARGETS = {
    "legacy": {
        **{"blue": bits.STAR_BHB, "white": bits.STAR_WHITE_DWARF, "red": bits.STAR_RED_DWARF},
        **{"pair": bits.SERENDIP_BLUE, "giant": bits.SERENDIP_DISTANT, "": bits.QSO_SKIRT},
    },
    "segue": {"": 0},
    "field": {"": 0},
    "boss": {"standard": bits.STD_FSTAR, "white": bits.STD_WD, "": bits.QSO_BONUS_MAIN},
}
# r magnitude: bright limit, faint limit, growth of log10(counts) per mag
MAGNITUDES = {
    "legacy": (14.4, 19.8, 0.22),
    "segue": (14.3, 19.5, 0.11),
    "boss": (15.8, 22.1, 0.27),
    "field": (14.0, 21.8, 0.20),
}

# spectral types between g - i colours, chosen by hand; those of BOSS are names in its pipeline
TYPE_EDGES = (-0.2, 0.1, 0.3, 0.45, 0.6, 0.75, 0.95, 1.3, 1.75, 2.2, 2.7, 3.2)
LEGACY_TYPES = (*("B6", "A0", "F0", "F5", "F9", "G2", "K1", "K3", "K5"), *("M0", "M2", "M4", "M6"))
BOSS_TYPES = (
    *("B6IV (174959)", "A0 (19510)", "A9V (154660)", "F3/F5V (30743)", "F9IV (136064)"),
    *("G4V (32923)", "K0V (10780)", "K3V (32147)", "K5Ve (118100)", "M1 (204445)"),
    *("M1 (204445)", "M4.5:III (123657)", "M4.5:III (123657)"),
)


def draw_stars(sample: str, n: int, rng: np.random.Generator) -> Sources:
    """Draw n stars of one sample, a key of `SAMPLES`."""
    names = list(SAMPLES[sample])
    shares = np.array(list(SAMPLES[sample].values()))
    counts = rng.multinomial(n, shares / shares.sum())
    colors = [_colors(name, int(count), rng) for name, count in zip(names, counts, strict=True)]
    kind = np.repeat(np.arange(len(names)), counts)
    order = rng.permutation(n)
    color, kind = np.concatenate(colors)[order], kind[order]
    bright, faint, growth = MAGNITUDES[sample]
    rise = 10 ** (growth * (faint - bright)) - 1
    r = bright + np.log10(1 + rng.random(n) * rise) / growth
    red = kind == (names.index("red") if "red" in names else -1)
    # M dwarfs are selected in i, standards are bright
    r = np.where(red, np.maximum(r, 16.5) + 0.4 * rng.random(n), r)
    if "standard" in names:
        r = np.where(kind == names.index("standard"), rng.uniform(15.5, 19.0, n), r)
    ug, gr, ri, iz = color.T
    magnitude = np.stack([r + gr + ug, r + gr, r, r - ri, r - ri - iz], axis=1)
    name = np.array(names)[kind]
    speed = np.where(np.isin(name, ("halo", "blue", "giant", "standard")), 130.0, 45.0)
    velocity = rng.normal(0, 1, n) * speed / LIGHT_SPEED
    subclass = _subclass(sample, name, gr + ri, rng)
    targets = np.array([TARGETS[sample].get(one, TARGETS[sample][""]) for one in name.tolist()])
    mask = {"boss_target" if sample == "boss" else "legacy_target": targets}
    return Sources.of(mag_to_flux(magnitude), velocity, STAR, subclass, **mask)


def _colors(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    if kind in COMPONENTS:
        center, width, metallicity, spread = COMPONENTS[kind]
        gi = np.clip(rng.normal(center, width, n), 0.25, 1.7)
        iron = np.clip(rng.normal(metallicity, spread, n), -2.2, 0.2)
        colors = dwarf_colors(gi, iron)
    elif kind == "giant":
        gi = np.clip(rng.normal(0.80, 0.15, n), 0.55, 1.2)
        colors = giant_colors(gi, np.clip(rng.normal(-1.5, 0.45, n), -2.5, -0.3))
    elif kind == "blue":
        colors = blue_branch_colors(np.clip(rng.normal(-0.02, 0.15, n), -0.35, 0.22))
    elif kind == "red":
        colors = red_dwarf_colors(np.clip(rng.gamma(3.0, 0.36, n) + 0.80, 0.80, 3.5))
    elif kind == "white":
        colors = -np.diff(_white_dwarf_magnitudes(n, rng), axis=1)
    else:
        colors = _pair_colors(n, rng)
    return colors + rng.normal(0, (0.030, 0.012, 0.006, 0.008), (n, 4))


def _white_dwarf_magnitudes(n: int, rng: np.random.Generator) -> np.ndarray:
    log_temperature = np.clip(rng.normal(4.16, 0.20, n), 3.80, 4.90)
    hydrogen = rng.random(n) < 0.85
    both = [white_dwarf_magnitudes(kind, log_temperature) for kind in ("DA", "DB")]
    return np.where(hydrogen[:, None], *both)


def _pair_colors(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw colours of unresolved pairs of a white dwarf and an M dwarf."""
    white = _white_dwarf_magnitudes(n, rng)
    ug, gr, ri, iz = red_dwarf_colors(rng.uniform(1.0, 2.6, n)).T
    red = np.stack([ug + gr, gr, np.zeros(n), -ri, -ri - iz], axis=1)
    red += (white[:, 2] + rng.uniform(-1.0, 2.0, n))[:, None]
    return -np.diff(-2.5 * np.log10(mag_to_flux(white) + mag_to_flux(red)), axis=1)


def _subclass(
    sample: str, name: np.ndarray, gi: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return spectral types by g - i colour; BOSS names the template star."""
    types = np.array(BOSS_TYPES if sample == "boss" else LEGACY_TYPES)
    found = types[np.searchsorted(TYPE_EDGES, gi + rng.normal(0, 0.05, len(gi)))]
    found = np.where(name == "white", "WD", found)
    return np.where(name == "pair", "CV", found)
