"""Read any source into one catalogue with documented columns, types and units."""
