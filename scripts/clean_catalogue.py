"""Apply the sample's quality cuts, in order, and count what each removes.

Reads the catalogue and the list `cuts` of the sample. Writes the rows that passed all of them and
the flow table: one line per cut with the objects before, removed and after it, by class if classes
are known. A cut that needs a missing column, or that removes the last row, stops the run with the
name of the cut.
"""

from sdssflow.configuration.cuts import Cuts
from sdssflow.logs import logger, run
from sdssflow.prepare.cuts import apply_cuts
from sdssflow.tables import content_digest, read_parquet, with_metadata, write_csv, write_parquet


def main(snakemake):
    catalogue = read_parquet(snakemake.input.catalogue)
    kept, flow = apply_cuts(catalogue, Cuts.from_canonical(snakemake.params.cuts).cuts)
    logger.info("kept %d of %d rows", kept.num_rows, catalogue.num_rows)
    write_parquet(with_metadata(kept, data_digest=content_digest(kept)), snakemake.output.catalogue)
    write_csv(flow, snakemake.output.flow)


if "snakemake" in globals():
    run(main, snakemake)
