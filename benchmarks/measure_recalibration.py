"""Compare criteria for the width factor of p(z): its scatter, and the effect of outliers.

    PYTHONPATH=scripts python benchmarks/measure_recalibration.py [--draws N] [--seed SEED]

Each object has a Gaussian p(z) with its own width, 0.015 exp(0.4 g), and a true scatter of 1.25
times that; outliers scatter by 0.3. A bias is in units of the true scatter. For each criterion the
table has mean and standard deviation of the fitted factor over the draws, and the mean distance of
PIT from uniform (Kolmogorov-Smirnov) of 20,000 other objects after recalibration.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from sdssflow.redshift_pdf.pit import pit_ks
from sdssflow.regress.recalibration import central_distance

TRUE_WIDTH = 1.25
CASES = {
    "no outliers": (0.0, 0.0),
    "2 % outliers": (0.02, 0.0),
    "2 % outliers, bias 0.2": (0.02, 0.2),
}


def draw(
    generator: np.random.Generator, n: int, outliers: float, bias: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) residuals and widths of p(z)."""
    width = 0.015 * np.exp(generator.normal(0, 0.4, n))
    residual = TRUE_WIDTH * width * (generator.normal(0, 1, n) + bias)
    failed = generator.random(n) < outliers
    residual[failed] = generator.normal(0, 0.3, failed.sum())
    return residual, width


def negative_log_density(residual: np.ndarray, width: np.ndarray) -> float:
    return np.mean(0.5 * (residual / width) ** 2 + np.log(width))


def crps(residual: np.ndarray, width: np.ndarray) -> float:
    w = residual / width
    density = np.exp(-w * w / 2) / np.sqrt(2 * np.pi)
    return np.mean(width * (w * (2 * ndtr(w) - 1) + 2 * density - 1 / np.sqrt(np.pi)))


def pit_distance(residual: np.ndarray, width: np.ndarray) -> float:
    """Cramer-von Mises distance of PIT from uniform, up to a constant."""
    pit = np.sort(ndtr(residual / width))
    return np.mean((pit - (np.arange(len(pit)) + 0.5) / len(pit)) ** 2)


CRITERIA = {
    "log density": negative_log_density,
    "CRPS": crps,
    "PIT distance": pit_distance,
    "central coverage": lambda residual, width: central_distance(ndtr(residual / width)),
}


def fit(criterion, residual: np.ndarray, width: np.ndarray) -> float:
    """Return the factor of the widths that is best by the criterion."""
    return np.exp(
        minimize_scalar(
            lambda logarithm: criterion(residual, width * np.exp(logarithm)),
            bounds=(np.log(0.3), np.log(5)),
            method="bounded",
        ).x
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for case, (outliers, bias) in CASES.items():
        generator = np.random.default_rng(arguments.seed)
        others, claimed = draw(generator, 20_000, outliers, bias)
        for n in (50, 250, 500):
            parts = [draw(generator, n, outliers, bias) for _ in range(arguments.draws)]
            for name, criterion in CRITERIA.items():
                factors = np.array([fit(criterion, *part) for part in parts])
                left = np.mean([pit_ks(ndtr(others / claimed / factor)) for factor in factors])
                print(
                    f"{case:24}{n:5}  {name:18}{factors.mean():6.3f} ± {factors.std():.3f}"
                    f"  PIT KS {left:.4f}"
                )


if __name__ == "__main__":
    main()
