"""Read the bulk files of a data release into one catalogue, block by block.

specObj (spectra) and photoPosPlate (their photometry, row by row) are read in step. Spectra
without photometry are left out, as SkyServer's join leaves them out; the selection is applied with
the meaning it has there; rows are sorted by specobjid. Memory does not grow with the files.

Outputs
-------
catalogue : Parquet, as `assemble_catalogue` writes it
defects : CSV with `column, defect, count, action, example_row`
completeness : CSV with `stage, file, rows, digest`

Params
------
source : canonical JSON of the sample's source, without what can't change a row
source_files : the files of spectra and of photometry; their content counts, not their time stamps
source_digests : SHA-256 of each when the run began
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
