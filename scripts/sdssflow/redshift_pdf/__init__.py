"""Redshift densities p(z) as truncated Gaussian mixtures: summaries, scores, files."""
