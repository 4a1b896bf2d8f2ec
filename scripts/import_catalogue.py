"""Read a source into one catalogue with documented columns, types and units.

The source is an embedded table, a file of your own (CSV, FITS, VOTable, Parquet, HDF5 or NumPy) or
a fetched one. Its mapped columns are cast to the schema of `sdssflow.acquire.schema`. No row is
dropped: sentinels, NaN and impossible measurements become null and are counted; probable mistakes
(ids that lost digits, unknown classes, positions out of range) stop the rule with file, column, row
and what to do.

Input
-----
fetched
    File of fetch_file, where the source is an address.

Output
------
catalogue
    Parquet, one row per row of the file; `row_id` identifies the object up to the report.
defects
    CSV with `column, defect, count, action, example_row`; only the header without defects.

Params
------
source
    Canonical JSON of the sample's `source`.
source_files
    The file, as a list; tracked by content, not time stamp.
source_digests
    Its SHA-256 at the start of the run, as a list.
sample
    Name of the sample.
"""

import logging
from typing import Any

from sdssflow.acquire.files.conform import read_catalogue
from sdssflow.configuration.file_sources import in_file_from_canonical
from sdssflow.logs import run
from sdssflow.tables import write_csv, write_parquet

logger = logging.getLogger("sdssflow")


def main(snakemake: Any) -> None:
    source = in_file_from_canonical(snakemake.params.source)
    (path,) = [*snakemake.params.source_files, *snakemake.input]
    catalogue, defects = read_catalogue(path, source, snakemake.params.sample)
    write_parquet(catalogue, snakemake.output.catalogue)
    write_csv(defects, snakemake.output.defects)
    logger.info("%d rows, %d columns", catalogue.num_rows, catalogue.num_columns)
    for defect in defects.itertuples():
        logger.info(
            "%s: %s in %d rows, %s", defect.column, defect.defect, defect.count, defect.action
        )


if "snakemake" in globals():
    run(main, snakemake)
