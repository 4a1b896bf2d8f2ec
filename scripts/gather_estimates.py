"""Combine the summaries of the partitions of a target.

Files of partitions that the target no longer has are removed, so that the folder has the objects of
the target and no others.

Inputs
------
estimates, summaries, skies : files of all partitions, in their order
pdfs : files of qp, if the target has them

Outputs
-------
partitions : CSV, one row per partition: rows, kept, bytes, why it was set aside, repeated objects
flow : CSV with `what, objects, share`: input rows, their defects, cuts, estimates, flags
sky : Parquet, sums over cells of the sky

Params
------
partitions : names of the partitions
paths : input file of each

Resources
---------
mem_mb : half of it is available for the search of repeated objects
"""

from pathlib import Path

from sdssflow.estimate.gathering import flow_of, left_over, listing, read_summaries, sky_of
from sdssflow.estimate.repeats import repeats_across
from sdssflow.logs import logger, run
from sdssflow.tables import write_csv, write_parquet


def main(snakemake):
    params, output = snakemake.params, snakemake.output
    summaries = read_summaries(snakemake.input.summaries)
    repeated = repeats_across(
        params.partitions,
        snakemake.input.estimates,
        snakemake.resources.mem_mb // 2,
        snakemake.threads,
    )
    listed = listing(params.partitions, params.paths, summaries, repeated)
    write_csv(listed, output.partitions)
    write_csv(flow_of(summaries), output.flow)
    write_parquet(sky_of(snakemake.input.skies), output.sky)
    folder = Path(snakemake.input.estimates[0]).parent
    kept = [*snakemake.input.estimates, *snakemake.input.pdfs]
    for path in left_over(folder, kept):
        logger.info("removing %s: the target no longer has this partition or file", path)
        path.unlink()
    logger.info("%d of %d partitions", (listed["refused"] == "").sum(), len(listed))


if "snakemake" in globals():
    run(main, snakemake)
