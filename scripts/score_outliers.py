"""Score the search for outliers with the oddities of a simulated sky.

Average precision and the fraction of the oddities among the first N objects of each ranking, N
being their number, with bootstrap intervals and the expectation of a random ranking. Oddities that
the selection or the cuts removed are counted but not scored.

Input
    outliers : `outliers.parquet` of rule find_outliers
    catalogue : the clean catalogue, which has the objid of each row
    oddities : `oddities.parquet` of rule simulate_oddities
Parameters
    bootstrap : canonical JSON of `bootstrap`
Output
    scores : CSV, one row for each ranking and score
"""

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.oddities import oddity_scores
from sdssflow.logs import run
from sdssflow.tables import read_parquet, write_csv


def main(snakemake):
    scores = oddity_scores(
        read_parquet(snakemake.input.outliers),
        read_parquet(snakemake.input.catalogue, ["row_id", "objid"]),
        read_parquet(snakemake.input.oddities),
        Bootstrap.from_canonical(snakemake.params.bootstrap),
    )
    write_csv(scores, snakemake.output.scores)


if "snakemake" in globals():
    run(main, snakemake)
