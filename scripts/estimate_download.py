"""Say what the downloads of a run will take, before anything is asked of a server.

Prints a table, and writes it: rows (and who says so), queries, the least time that the pauses
between them take, the time of the answers at 2 MB/s, and disk. How long the server itself takes is
not known beforehand.

Output
------
estimate : CSV

Params
------
sources : JSON object, name of a sample to its source
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
