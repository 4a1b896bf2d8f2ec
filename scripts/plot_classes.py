"""Draw one figure of the classifiers of a split.

`comparison`: six scores of all models with intervals. `confusion`: where true classes go.
`reliability`: whether stated probabilities come true. `by_magnitude`: completeness and purity of
each class against magnitude. `roc`: completeness against contamination at every threshold. Each
reads the score tables, `roc` the predictions themselves.
"""

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate import class_figures
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.tables import read_csv

TABLES = {
    "comparison": "scores",
    "confusion": "confusion",
    "reliability": "reliability",
    "by_magnitude": "scores_by_bin",
}


def draw(name, inputs, models):
    if name == "roc":
        return class_figures.roc(read_predictions(inputs.predictions, models))
    if name not in TABLES:
        raise ValueError(f"unknown figure {name!r}; known: {', '.join(TABLES)}, roc")
    return getattr(class_figures, name)(read_csv(getattr(inputs, TABLES[name])), models)


def main(snakemake):
    params = snakemake.params
    with style():
        figure = draw(params.figure, snakemake.input, params.models)
        save_figure(figure, snakemake.output.figure, Figures.from_canonical(params.settings))


if "snakemake" in globals():
    run(main, snakemake)
