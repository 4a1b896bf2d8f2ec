"""Download one chunk of a sample and verify that it is complete.

Number, ids and sums of the rows are compared with the server's for the same conditions. Ranges that
are too large for one answer are split. Verified answers are kept in the store, so that a killed job
repeats only missing queries, and a rerun sends none.

Input
-----
plan : JSON of plan_chunks
sky : tables of the simulated sky, if the sample has one

Output
------
chunk : Parquet, columns of the catalogue, rows in the order of the plan's key

Params
------
source : canonical JSON of the sample's source, without settings that don't affect rows
chunk : number of the chunk

Resources
---------
network : canonical JSON of the run's `downloads`, which does not affect results
"""

from pathlib import Path

from sdssflow.acquire.download.chunks import download_chunk, open_archive
from sdssflow.acquire.download.plan import Plan
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import downloaded_from_canonical
from sdssflow.logs import logger, run


def main(snakemake):
    source = downloaded_from_canonical(snakemake.params.source)
    network = Downloads.from_canonical(snakemake.resources.network)
    sky = Path(snakemake.input.sky[0]).parent if snakemake.input.sky else None
    plan = Plan.read(snakemake.input.plan)
    with open_archive(source, network, sky) as (archive, _):
        rows = download_chunk(archive, plan, snakemake.params.chunk, snakemake.output.chunk)
    logger.info("%d rows", rows)


if "snakemake" in globals():
    run(main, snakemake)
