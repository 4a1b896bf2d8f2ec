"""Score the redshift densities p(z) of the models of a sample and split that give one.

Every metric has a named convention (`sdssflow.evaluate.pdf_metrics` lists formulas and sources)
and a bootstrap interval over groups of objects. All models share the draws, so their differences
are paired.

Input
    predictions : `predictions.parquet`, one per model
Parameters
    models : names of the models, in the order of the inputs
    settings : canonical JSON of `redshift_pdfs`
    bootstrap : canonical JSON of `bootstrap`
Output
    scores : every metric of every model, per seed and averaged over seeds
    differences : paired differences between all pairs of models
    scores_by_bin : scores in bins of zspec, zphot and reference magnitude
    pit : histogram of the probability integral transform, with the band of a uniform one
"""

from sdssflow.configuration.pdfs import RedshiftPdfs
from sdssflow.configuration.scores import Bootstrap
from sdssflow.evaluate.pdf_scores import COMPARED, pit_histogram, score_models, scores_by_bin
from sdssflow.evaluate.score_tables import differences_table, read_predictions, scores_table
from sdssflow.logs import run
from sdssflow.tables import write_csv


def main(snakemake):
    settings = RedshiftPdfs.from_canonical(snakemake.params.settings)
    bootstrap = Bootstrap.from_canonical(snakemake.params.bootstrap)
    predictions = read_predictions(snakemake.input.predictions, list(snakemake.params.models))
    scores = score_models(predictions, bootstrap)
    table = scores_table(scores, bootstrap.level, predictions[0].test_digests)
    write_csv(table, snakemake.output.scores)
    write_csv(differences_table(scores, COMPARED, bootstrap.level), snakemake.output.differences)
    write_csv(scores_by_bin(predictions, settings, bootstrap), snakemake.output.scores_by_bin)
    write_csv(pit_histogram(predictions, settings, bootstrap.level), snakemake.output.pit)


if "snakemake" in globals():
    run(main, snakemake)
