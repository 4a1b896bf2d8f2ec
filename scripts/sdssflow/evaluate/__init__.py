"""Scores with intervals: the only room that opens test rows."""
