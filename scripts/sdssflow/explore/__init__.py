"""Exploration: figures of the catalogue, groups and outliers in feature space."""
