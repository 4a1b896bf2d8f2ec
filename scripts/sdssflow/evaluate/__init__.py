"""Scores with confidence intervals: the only stage that reads test rows."""
