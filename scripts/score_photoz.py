"""Score SDSS's own photometric redshifts, from its table Photoz, and the models of a split.

All are scored on the test objects with an entry there, and on those of photoErrorClass 1;
differences are paired. Photoz was fitted to spectra of SDSS DR12, which include test objects: it is
a benchmark, but not independent of them.

Input
    predictions : `predictions.parquet`, one per model
    catalogue : the clean catalogue, with the columns of Photoz
Parameters
    models : names of the models, in the order of the inputs
    settings : canonical JSON of `redshift_scores`
    bootstrap : canonical JSON of `bootstrap`
Output
    scores : every metric of every model and of Photoz, per seed and averaged over seeds
    differences : of each model, its score minus that of Photoz
"""

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import RedshiftScores
from sdssflow.evaluate.sdss_photoz import COLUMNS, compare_with_photoz
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import logger, run
from sdssflow.tables import read_parquet, write_csv


def main(snakemake):
    tables = compare_with_photoz(
        read_predictions(snakemake.input.predictions, list(snakemake.params.models)),
        read_parquet(snakemake.input.catalogue, COLUMNS),
        RedshiftScores.from_canonical(snakemake.params.settings),
        Bootstrap.from_canonical(snakemake.params.bootstrap),
    )
    if tables["scores"].empty:
        logger.warning("no test object has an entry in Photoz: there is nothing to score")
    for name, table in tables.items():
        write_csv(table, getattr(snakemake.output, name))


if "snakemake" in globals():
    run(main, snakemake)
