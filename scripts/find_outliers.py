"""Find the outliers of a sample, without using its classes.

An isolation forest, a density estimate and the principal components each score how unusual an
object is (`sdssflow.explore.outliers`). The objects at the top of the list are rare, blended or
badly measured: look at them.

Input: ``features``. Parameters: ``explore`` (canonical Outliers), ``seed``. Outputs: ``outliers``
(outliers.parquet: row_id, the three scores, the combined rank, the most extreme feature) and
``gallery`` (outliers.csv: the most unusual objects, with position, class and redshift where known).
"""

from sdssflow.configuration.clustering import Outliers
from sdssflow.explore.feature_space import read_feature_space
from sdssflow.explore.outliers import find_outliers, gallery
from sdssflow.logs import run
from sdssflow.tables import read_parquet, write_csv, write_parquet


def main(snakemake):
    settings = Outliers.from_canonical(snakemake.params.explore)
    seed = snakemake.params.seed
    features = read_parquet(snakemake.input.features)
    space = read_feature_space(features, settings.max_objects, seed)
    outliers = find_outliers(space, settings, seed)
    write_csv(gallery(outliers, features, settings.shown), snakemake.output.gallery)
    write_parquet(space.with_provenance(outliers), snakemake.output.outliers)


if "snakemake" in globals():
    run(main, snakemake)
