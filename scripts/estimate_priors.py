"""Estimate what part of a target's objects is of each class.

Inputs
------
bundles : folders or ZIP files of the models that are applied
drawn, summaries : of all partitions, in their order

Output
------
priors : `class_priors.csv`, one row per class: its part in the training part, the one that the
    target's definition assumes, and the estimate with its interval

Params
------
target : canonical JSON of the target
most : objects of the target that the estimate is made of
bootstrap : canonical JSON of `bootstrap`
"""

from sdssflow import bundle
from sdssflow.classify.decisions import CLASS_SET
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.targets import Target, read_manifest
from sdssflow.estimate.class_priors import priors_table
from sdssflow.estimate.drawn import read_drawn
from sdssflow.estimate.gathering import read_summaries
from sdssflow.logs import logger, run
from sdssflow.tables import write_csv


def main(snakemake):
    inputs, params = snakemake.input, snakemake.params
    summaries = read_summaries(inputs.summaries)
    (path,) = (path for path in inputs.bundles if read_manifest(path)["task"] == "classify")
    model = bundle.load(path)
    if not model.model.knows_mix:
        logger.warning(
            "%s gives probabilities for no known mix of classes; none is estimated", path
        )
    assumed = Target.from_canonical(params.target).class_priors
    drawn = read_drawn(
        inputs.drawn,
        summaries,
        params.most,
        lambda name: name in ("row_id", CLASS_SET) or name.startswith("probability_"),
    )
    table = priors_table(
        drawn,
        sum(summary["numbers"].get("classified", 0) for summary in summaries),
        model.manifest.class_priors if model.model.knows_mix else None,
        assumed and assumed.model_dump(),
        Bootstrap.from_canonical(params.bootstrap),
    )
    write_csv(table, snakemake.output.priors)


if "snakemake" in globals():
    run(main, snakemake)
