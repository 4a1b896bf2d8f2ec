"""Stop the run if partitions of a target were set aside; the others are estimated.

Input
-----
partitions : CSV of rule gather_estimates

Output
------
complete : a text with the numbers of partitions and objects
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
