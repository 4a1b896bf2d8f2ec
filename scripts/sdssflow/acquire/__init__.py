"""From a file of any kind to one catalogue with documented columns, types and units."""
