"""Download verified rows from an archive: query in ranges, check answers, keep verified ones."""
