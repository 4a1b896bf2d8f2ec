"""Draw the figures of a sample's clean catalogue.

Figures (`explore.figures` of the sample):

- ``sky_map``: positions, on a Mollweide map of the sky or, for a field of a few degrees, on one
  flat panel. Needs ra and dec.
- ``magnitudes``: histograms in the five bands, per class.
- ``redshifts``: histogram of zspec, per class. Needs zspec.
- ``color_color``: u - g / g - r, g - r / r - i, r - i / i - z, by class or else by redshift.
- ``color_redshift``: the four colours against zspec with running medians. Needs zspec.

Magnitudes are those of `features.magnitudes`, corrected for Galactic extinction according to
`features.deredden` if the catalogue has it. Each figure states how many objects it shows and how
many are missing or outside its axes. Many objects are drawn as densities and, per class, contours
that enclose 50 % and 90 % of the class.

Input
    catalogue : clean catalogue
Parameters
    features : canonical JSON of `features`
    settings : canonical JSON of `figures`
    sample : name of the sample
Output
    figures : PNG or SVG, each named after its figure
"""

from pathlib import Path

from sdssflow.configuration.features import Features
from sdssflow.configuration.figures import Figures
from sdssflow.explore.catalogue_figures import FIGURES
from sdssflow.explore.objects import read_objects
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style


def main(snakemake):
    sample = snakemake.params.sample
    features = Features.from_canonical(snakemake.params.features)
    settings = Figures.from_canonical(snakemake.params.settings)
    for path in snakemake.output.figures:
        name = Path(path).stem
        objects = read_objects(snakemake.input.catalogue, sample, features, name)
        with style():
            save_figure(FIGURES[name](objects), path, settings)


if "snakemake" in globals():
    run(main, snakemake)
