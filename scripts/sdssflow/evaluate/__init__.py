"""Scores with intervals: the only stage that reads test rows."""
