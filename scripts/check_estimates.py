"""Stop the run if partitions of a target had to be set aside; the estimates of the others are made.

Input
-----
partitions : CSV of rule gather_estimates

Output
------
complete : a text that says how many partitions and objects there are
"""

from sdssflow.estimate.gathering import require_complete
from sdssflow.files import write_text
from sdssflow.logs import run
from sdssflow.tables import read_csv


def main(snakemake):
    listed = read_csv(snakemake.input.partitions)
    require_complete(listed, snakemake.wildcards.target)
    text = f"{len(listed)} partitions, {listed['kept'].sum()} objects\n"
    write_text(snakemake.output.complete, text)


if "snakemake" in globals():
    run(main, snakemake)
