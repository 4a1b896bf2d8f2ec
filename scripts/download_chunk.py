"""Download one chunk of a sample and verify that it is whole.

Number, ids and sums of the rows are compared with what the server counts for the same conditions. A
range that is too much for one answer is split. Answers that passed every check are kept in the
store, so that a job that was killed asks only for what it lacks, and asks nothing if it only has to
read its answers again.

Input
-----
plan : JSON of plan_chunks
sky : tables of the simulated sky, if the sample has one

Output
------
chunk : Parquet, columns of the catalogue, rows in the order of the plan's key

Params
------
source : canonical JSON of the sample's source, without what can't change a row
chunk : number of the chunk

Resources
---------
network : canonical JSON of the run's `downloads`: how to ask changes no result
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
