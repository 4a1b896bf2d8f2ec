"""Estimate the fraction of each class among the objects of a target.

Inputs
------
bundles : folders or ZIP files of the models that are applied
drawn, summaries : files of all partitions, in their order

Output
------
priors : `class_priors.csv`, one row per class: its fraction in the training part, the fraction
    assumed in the target's definition, and the estimate with its interval

Params
------
target : canonical JSON of the target
most : maximum number of objects of the target to use
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
            "%s: the class fractions that its probabilities are for are not known; none are "
            "estimated",
            path,
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
