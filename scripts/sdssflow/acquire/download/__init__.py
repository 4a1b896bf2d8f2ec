"""From an archive to verified rows: ask in ranges, believe nothing, keep what was proven."""
