"""The arithmetic of truncated Gaussian mixtures, object by object, compiled by numba.

Loops over components are vectorised, including exp and erf, which are polynomials here; calls of
library functions would not be. The result for an object does not depend on the others.

An object is a (3, p) array: weights, such that the density has integral 1 within the range, means,
and 1 / (sqrt(2) standard deviation); p is a multiple of `LANES`, padded with components of weight
0. `below` is the untruncated cdf at the lower end of the range.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from numba.core.dispatcher import Dispatcher

Function = TypeVar("Function", bound=Callable)
LANES = 4  # numbers in a vector register, or a multiple of it
ROOT_2, ROOT_PI = math.sqrt(2), math.sqrt(math.pi)
LOG2_E, LN_2, LN_2_REST = 1 / math.log(2), 6.93147180369123816490e-01, 1.90821492927058770002e-10
FAR = 600.0  # u^2 is capped here: denormal numbers are slow
# erfc(x) exp(x^2) / t as a polynomial in 2t - 1, t = 1 / (1 + 0.3 x), highest power first, by
# Chebyshev approximation: accurate to 1e-13 for x >= 0
ERFCX = (
    4.5550738639336113e-10, -3.425955409414903e-08, -2.4791522685797897e-09, 3.7677192843224865e-07,
    6.387380567073993e-08, -2.7911684846944875e-06, -1.744905502998987e-06, 1.905828366090295e-05,
    3.2730285628979724e-05, -0.0001069848073520031, -0.0004813476606530677, -0.00018174116799443278,
    0.004356100010121225, 0.020401447375130704, 0.0569616380484429, 0.11871867468400618,
    0.19878107804416903, 0.27652355675647533, 0.32497992185979796,
)  # fmt: skip
EXP = tuple(1 / math.factorial(n) for n in range(11, -1, -1))  # to 1e-14 for |x| < ln(2) / 2


def cache_folder(here: Path, user: Path) -> str | None:
    """Return the cache of compiled code for the sources in `here`; None if none is writable.

    Its name has a digest of all sources: numba itself would reuse a compiled function until that
    function's own file changes, even if the functions that it calls have changed.
    """
    digest = hashlib.sha256()
    for path in sorted(here.glob("*.py")):
        digest.update(path.read_bytes())
    for folder in (here / "__pycache__", user / "sdssflow"):
        place = folder / f"numba-{digest.hexdigest()[:16]}"
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK):
            return str(place)
    return None


# not Path.expanduser, which fails for a user without a home, as in some containers
USER_CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
CACHE = cache_folder(Path(__file__).parent, Path(USER_CACHE))
HOW: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
}


def inlined(function: Function) -> Dispatcher[Function]:
    """Inline a function into its callers, always.

    A call could reach one of two compiled copies, depending on what was compiled in this process
    and what came from the cache; their sums are rounded differently.
    """
    return njit(forceinline=True, **HOW)(function)


def compiled(function: Function) -> Dispatcher[Function]:
    """Compile a function at its first call, and cache the result for other processes.

    Functions that it calls must be `inlined`.
    """
    settings = vars(config)  # numba sets these names as it starts
    before = settings["CACHE_DIR"]
    settings["CACHE_DIR"] = CACHE or ""
    try:
        return njit(cache=CACHE is not None, **HOW)(function)
    finally:
        settings["CACHE_DIR"] = before


@intrinsic
def _power_of_two(_: Any, exponent: Any) -> Any:
    """2^n for an int64 n, from its bits."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.IntType(64)
        biased = builder.add(arguments[0], ir.Constant(kind, 1023))
        return builder.bitcast(builder.shl(biased, ir.Constant(kind, 52)), ir.DoubleType())

    return types.float64(exponent), build


@inlined
def bell(u: float) -> float:
    """exp(-u^2)."""
    x = -min(u * u, FAR)
    n = math.floor(x * LOG2_E + 0.5)
    r = (x - n * LN_2) - n * LN_2_REST
    p = (((EXP[0] * r + EXP[1]) * r + EXP[2]) * r + EXP[3]) * r + EXP[4]
    p = (((p * r + EXP[5]) * r + EXP[6]) * r + EXP[7]) * r + EXP[8]
    p = ((p * r + EXP[9]) * r + EXP[10]) * r + EXP[11]
    return p * _power_of_two(np.int64(n))  # type: ignore[call-arg]  # numba gives the first


@inlined
def gaussian_cdf(u: float, height: float) -> float:
    """(1 + erf(u)) / 2, given exp(-u^2)."""
    t = 1 / (1 + 0.3 * abs(u))
    y = 2 * t - 1
    p = (((ERFCX[0] * y + ERFCX[1]) * y + ERFCX[2]) * y + ERFCX[3]) * y + ERFCX[4]
    p = (((p * y + ERFCX[5]) * y + ERFCX[6]) * y + ERFCX[7]) * y + ERFCX[8]
    p = (((p * y + ERFCX[9]) * y + ERFCX[10]) * y + ERFCX[11]) * y + ERFCX[12]
    p = (((p * y + ERFCX[13]) * y + ERFCX[14]) * y + ERFCX[15]) * y + ERFCX[16]
    p = (p * y + ERFCX[17]) * y + ERFCX[18]
    return 0.5 + math.copysign(0.5 - 0.5 * height * p * t, u)


@inlined
def at(z: float, part: np.ndarray) -> tuple[float, float]:
    """Untruncated cdf and density at z."""
    cdf, density = 0.0, 0.0
    for k in range(part.shape[1]):
        u = (z - part[1, k]) * part[2, k]
        height = bell(u)
        cdf += part[0, k] * gaussian_cdf(u, height)
        density += part[0, k] * part[2, k] * height
    return cdf, density / ROOT_PI


@inlined
def truncated_cdf(z: float, part: np.ndarray, below: float, lower: float, upper: float) -> float:
    """P(redshift <= z)."""
    if z <= lower:
        return 0.0
    if z >= upper:
        return 1.0
    return min(max(at(z, part)[0] - below, 0.0), 1.0)


@compiled
def prepare(
    weights: np.ndarray, means: np.ndarray, scales: np.ndarray, lower: float, upper: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n, 3, p) objects of (n, c) arrays, and their (n,) `below`."""
    n, c = weights.shape
    parts, below = np.zeros((n, 3, -(-c // LANES) * LANES)), np.empty(n)
    for i in range(n):
        part = parts[i]
        part[1], part[2] = lower, 1.0
        for k in range(c):
            part[0, k], part[1, k] = weights[i, k], means[i, k]
            part[2, k] = 1 / (ROOT_2 * scales[i, k])
        low = at(lower, part)[0]
        mass = at(upper, part)[0] - low
        part[0] /= mass
        below[i] = low / mass
    return parts, below


@compiled
def cdfs(
    z: np.ndarray, parts: np.ndarray, below: np.ndarray, lower: float, upper: float
) -> np.ndarray:
    """Return the cdf at (n, m) z."""
    found = np.empty(z.shape)
    for i in range(len(z)):
        for j in range(z.shape[1]):
            found[i, j] = truncated_cdf(z[i, j], parts[i], below[i], lower, upper)
    return found


@compiled
def densities(z: np.ndarray, parts: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Return the density at (n, m) z."""
    found = np.zeros(z.shape)
    for i in range(len(z)):
        for j in range(z.shape[1]):
            if lower <= z[i, j] <= upper:
                found[i, j] = at(z[i, j], parts[i])[1]
    return found


@compiled
def means(parts: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Return the (n,) means within the range, in closed form."""
    found = np.empty(len(parts))
    for i in range(len(parts)):
        part, total = parts[i], 0.0
        for k in range(part.shape[1]):
            inverse = part[2, k]
            low, high = (lower - part[1, k]) * inverse, (upper - part[1, k]) * inverse
            at_low, at_high = bell(low), bell(high)
            inside = part[1, k] * (gaussian_cdf(high, at_high) - gaussian_cdf(low, at_low))
            total += part[0, k] * (inside + (at_low - at_high) / (2 * ROOT_PI * inverse))
        found[i] = min(max(total, lower), upper)
    return found


@inlined
def moments(part: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the untruncated mixture."""
    total, mean, square = 0.0, 0.0, 0.0
    for k in range(part.shape[1]):
        total += part[0, k]
        mean += part[0, k] * part[1, k]
    mean /= total
    for k in range(part.shape[1]):
        square += part[0, k] * ((part[1, k] - mean) ** 2 + 0.5 / part[2, k] ** 2)
    return mean, math.sqrt(square / total)
