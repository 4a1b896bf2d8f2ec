"""Draw the figures of the classifiers of a split.

======================  ==========================================================================
figure                  what it shows
======================  ==========================================================================
``comparison``          six scores of all models with intervals
``best_confusion``      predicted against true classes of the best classifier
``confusion``           predicted against true classes of all classifiers
``reliability``         whether predicted probabilities are calibrated
``class_sets``          coverage and size of the class sets against magnitude
``by_magnitude``        completeness and purity of each class against magnitude
``roc``                 completeness against false positive rate at every threshold
``importance``          importance of each feature, if measured
``partial_dependence``  mean probabilities against a feature, if measured
======================  ==========================================================================

Input
    scores, scores_by_bin, confusion, reliability, class_sets : CSV of score_classes
    predictions : `predictions.parquet`, one per model; read for `roc` only
    importance, dependence : CSV of explain_classes, where models are explained
Parameters
    models : names of the models, in the order of `predictions`
    settings : canonical JSON of `figures`
Output
    figures : PNG or SVG, each named after its figure
"""

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate.class_figures import FIGURES
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.plotting import draw_all
from sdssflow.tables import read_csv


def main(snakemake):
    models = list(snakemake.params.models)

    def read(name):
        if name == "models":
            return models
        if name == "predictions":
            return read_predictions(snakemake.input.predictions, models)
        return read_csv(getattr(snakemake.input, name))

    settings = Figures.from_canonical(snakemake.params.settings)
    draw_all(snakemake.output.figures, FIGURES, read, settings)


if "snakemake" in globals():
    run(main, snakemake)
