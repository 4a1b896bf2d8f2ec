"""Draw the groups of find_clusters on the projections of embed_features.

``scatter``: one row per embedding; columns: the truth (class, else redshift), k-means, Gaussian
mixture, HDBSCAN (noise in grey). Groups are numbered by size. ``selection``: silhouette,
Davies-Bouldin index and BIC against the number of groups with the chosen one marked, and the
agreement of the chosen groups with the truth (adjusted Rand index, adjusted mutual information).

Inputs: ``table`` (clusters.csv), ``labels`` (clusters.parquet), ``embedding``. Parameters:
``settings`` (canonical Figures), ``sample``. Outputs: ``scatter``, ``selection``.
"""

from sdssflow.configuration.figures import Figures
from sdssflow.explore.cluster_figures import draw_groups, draw_selection, join_labels
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.tables import metadata, read_csv, read_parquet


def main(snakemake):
    settings = Figures.from_canonical(snakemake.params.settings)
    sample = snakemake.params.sample
    embedding = read_parquet(snakemake.input.embedding)
    table = join_labels(read_parquet(snakemake.input.labels), embedding)
    explained = metadata(embedding.schema).get("explained_variance_ratio")
    with style():
        save_figure(draw_groups(table, sample, explained), snakemake.output.scatter, settings)
        selection = draw_selection(read_csv(snakemake.input.table), sample)
        save_figure(selection, snakemake.output.selection, settings)


if "snakemake" in globals():
    run(main, snakemake)
