"""Random mixtures: galaxies, quasars with narrow modes far apart, and awkward ones."""

import numpy as np

from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.qp_files import pdf_writer


def write_pdfs(path, levels, *blocks):
    """Write blocks of densities with their ancillary arrays."""
    with pdf_writer(path, levels) as write:
        for pdf, ancil in blocks:
            write(pdf, ancil)


def galaxies(n, components=6, seed=0):
    generator = np.random.default_rng(seed)
    means = generator.uniform(0.0, 0.5, (n, 1)) + generator.normal(0, 0.02, (n, components))
    weights = generator.dirichlet(np.ones(components), n)
    scales = np.exp(generator.normal(-3.5, 0.5, (n, components)))
    return Mixture(weights, np.clip(means, 0, 1), scales, 0.0, 1.0)


def quasars(n, components=8, seed=1):
    generator = np.random.default_rng(seed)
    weights = generator.dirichlet(np.full(components, 0.4), n)
    weights[:, 0] = 0
    means = generator.uniform(0, 7, (n, components))
    scales = np.exp(generator.uniform(np.log(1e-3), np.log(0.5), (n, components)))
    return Mixture(weights, means, scales, 0.0, 7.0)


def awkward():
    """Spikes at the bounds, spikes far apart, a plateau, unnormalised and unused components."""
    rows = [
        ([1, 1, 0], [0, 7, 3], [1e-5, 1e-5, 1e-5]),
        ([1, 1, 1], [1, 5, 3], [1e-5, 1e-3, 1e-4]),
        ([1e-6, 1, 0], [6.9, 0.2, 1], [1e-5, 0.01, 1]),
        ([3, 0, 0], [0, 1, 2], [50.0, 1, 1]),
        ([2, 2, 2], [0.5, 0.5, 0.5], [0.1, 0.1, 0.1]),
        ([1, 1, 1], [0.4, 0.5, 0.6], [0.1, 0.1, 0.1]),
        ([1, 0, 0], [7, 1, 2], [0.3, 1e-5, 1e-5]),
    ]
    weights, means, scales = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    return Mixture(weights, means, scales, 0.0, 7.0)
