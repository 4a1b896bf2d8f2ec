"""Read the bulk files of a data release into one catalogue, block by block.

specObj (spectra) and photoPosPlate (their photometry, row by row) are read in parallel. Spectra
without photometry are left out, as in SkyServer's join, and the selection means the same as there.
Rows are sorted by specobjid. Memory does not grow with the files.

Outputs
-------
catalogue : Parquet, as from `assemble_catalogue`
defects : CSV with `column, defect, count, action, example_row`
completeness : CSV with `stage, file, rows, digest`

Params
------
source : canonical JSON of the sample's source, without settings that don't affect rows
source_files : the files of spectra and of photometry; tracked by content, not time stamp
source_digests : SHA-256 of each at the start of the run
sample : name of the sample
"""

from sdssflow.acquire.bulk.importing import import_bulk
from sdssflow.configuration.sources import BulkSource
from sdssflow.logs import logger, run
from sdssflow.tables import write_csv


def main(snakemake):
    source = BulkSource.from_canonical(snakemake.params.source)
    completeness, defects = import_bulk(
        source,
        dict(zip(snakemake.params.source_files, snakemake.params.source_digests, strict=True)),
        snakemake.output.catalogue,
        snakemake.params.sample,
    )
    write_csv(defects, snakemake.output.defects)
    write_csv(completeness, snakemake.output.completeness)
    logger.info("%s", completeness[["stage", "rows"]].to_string(index=False))


if "snakemake" in globals():
    run(main, snakemake)
