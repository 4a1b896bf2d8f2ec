"""Count a sample on its archive, and split it into chunks.

One query counts the spectra of each plate, a second one all spectra, a third one the rows that meet
all conditions; for photometry, objects and runs replace spectra and plates. The planned ranges of
specObjID or objID cover all possible ids; the counts are compared with the download later.

Input
-----
sky : tables of the simulated sky, if the sample has one

Output
------
plan : JSON with the query of the whole sample, counts and ranges

Params
------
source : canonical JSON of the sample's source, without settings that don't affect rows

Resources
---------
network : canonical JSON of the run's `downloads`, which does not affect results
"""

from pathlib import Path

from sdssflow.acquire.download.chunks import make_plan, open_archive
from sdssflow.acquire.download.plan import check_space
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import downloaded_from_canonical
from sdssflow.logs import logger, run


def main(snakemake):
    source = downloaded_from_canonical(snakemake.params.source)
    network = Downloads.from_canonical(snakemake.resources.network)
    sky = Path(snakemake.input.sky[0]).parent if snakemake.input.sky else None
    with open_archive(source, network, sky) as (archive, name):
        plan = make_plan(archive, source, name)
    check_space(network.store, plan.rows)
    kind = "spectra" if plan.key == "specobjid" else "objects"
    logger.info("%s: %d %s, %d rows, %s", name, plan.spectra, kind, plan.rows, plan.query)
    plan.write(snakemake.output.plan)


if "snakemake" in globals():
    run(main, snakemake)
