"""Fetch the public file of a sample or target, and verify its digest.

It is taken from the store of downloads, else from the folder of mirrored files, else from the first
of its addresses that has it.

Output
------
file : the file as downloaded, without decompression

Params
------
sha256 : its SHA-256

Resources
---------
addresses : JSON of its addresses and its maximum size in MB
network : canonical JSON of the run's `downloads`, which does not affect the file
"""

import json

from sdssflow.acquire.download.public_files import PublicFile, fetch
from sdssflow.configuration.downloads import Downloads
from sdssflow.logs import logger, run


def main(snakemake):
    ways = json.loads(snakemake.resources.addresses)
    wanted = PublicFile(
        ways["addresses"], snakemake.params.sha256, most_bytes=ways["largest_mb"] * 10**6
    )
    network = Downloads.from_canonical(snakemake.resources.network)
    logger.info("from %s", fetch(wanted, network, snakemake.output.file))


if "snakemake" in globals():
    run(main, snakemake)
