"""Binning of the intermediate results of partitions, for figures and summaries of a target."""

from __future__ import annotations

import numpy as np

NSIDE = 32  # HEALPix cells, nested, of 1.8 degrees
CELLS = 12 * NSIDE**2
Z_STEP, Z_BINS = 0.01, 700  # of the histograms of zphot for medians
DRAWN_LEVELS = np.arange(1, 40) / 40  # levels of the quantiles of p(z) of drawn objects
