"""The algorithms that look for groups, for those who look and for those who draw."""

ALGORITHMS = ("kmeans", "mixture", "hdbscan")
NOISE = -1  # the label of objects in no group
