"""Project a sample's feature space onto two dimensions, to show its structure.

The objects are those of find_clusters (same seed, same draw), with standardised features. PCA is
linear and quantitative: explained variance and loadings are in the table's metadata. UMAP keeps
neighbours together and shows groups better, but its axes and the distances and sizes of groups have
no meaning.

Input: ``features``. Parameters: ``explore`` (canonical Clustering), ``seed``. Output: ``embedding``
(row_id, pca_1, pca_2, umap_1, umap_2 according to `explore.embeddings`, spec_class and zspec where
known).
"""

from sdssflow.configuration.clustering import Clustering
from sdssflow.explore.embeddings import embed_features
from sdssflow.explore.feature_space import read_feature_space
from sdssflow.logs import run
from sdssflow.tables import read_parquet, write_parquet


def main(snakemake):
    settings = Clustering.from_canonical(snakemake.params.explore)
    seed = snakemake.params.seed
    features = read_parquet(snakemake.input.features)
    space = read_feature_space(features, settings.max_objects, seed)
    table, provenance = embed_features(space, settings.embeddings, seed)
    write_parquet(space.with_provenance(table, **provenance), snakemake.output.embedding)


if "snakemake" in globals():
    run(main, snakemake)
