"""Estimate the downloads of a run without contacting a server.

Prints and writes a table with rows (and their source), queries, the minimum duration of the pauses
between them, the transfer time at 2 MB/s, and disk space. The time that the server needs is not
included.

Output
------
estimate : CSV

Params
------
sources : JSON object with the source of each sample
network : canonical JSON of the run's `downloads`
"""

import json

from sdssflow.acquire.download.estimate import estimate
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import downloaded_from_canonical
from sdssflow.logs import run
from sdssflow.tables import write_csv


def main(snakemake):
    sources = {
        name: downloaded_from_canonical(json.dumps(source))
        for name, source in json.loads(snakemake.params.sources).items()
    }
    table = estimate(sources, Downloads.from_canonical(snakemake.params.network))
    write_csv(table, snakemake.output.estimate)
    shown = table.to_string(index=False, na_rep="?", max_colwidth=60)
    print("Nothing is downloaded in this run." if table.empty else shown)


if "snakemake" in globals():
    run(main, snakemake)
