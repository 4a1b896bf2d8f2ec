"""Score the estimates of a simulated target against the simulated truth.

At most a million objects are scored, those of the first partitions; the table has both numbers.

Inputs
------
partitions : CSV of rule gather_estimates
priors : CSV of rule estimate_priors; none without a classifier
estimates : Parquet of all partitions, in the order of that table
truth : Parquet with `objid, spec_class, zspec`

Output
------
scores : `truth_scores.csv`, one row per score

Params
------
classes : canonical JSON of `class_scores`
bootstrap : canonical JSON of `bootstrap`
"""

import pandas as pd

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import ClassScores
from sdssflow.estimate.truth import prior_scores, read_scored, truth_scores
from sdssflow.logs import logger, run
from sdssflow.tables import read_csv, write_csv


def main(snakemake):
    inputs, params = snakemake.input, snakemake.params
    kept = read_csv(inputs.partitions)["kept"].tolist()
    scored = read_scored(inputs.estimates, kept, inputs.truth)
    table = truth_scores(
        scored,
        ClassScores.from_canonical(params.classes),
        Bootstrap.from_canonical(params.bootstrap),
    )
    if inputs.get("priors"):
        priors = read_csv(str(inputs.priors))
        table = pd.concat([table, prior_scores(scored, priors)], ignore_index=True)
    write_csv(table, snakemake.output.scores)
    logger.info("%d of %d objects scored", len(scored.estimates), scored.objects)


if "snakemake" in globals():
    run(main, snakemake)
