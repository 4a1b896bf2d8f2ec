"""Show why colours carry redshift: a galaxy spectrum slides through the SDSS filters.

The spectra are schematic (black body, 4000 Å break, lines at their laboratory wavelengths; see
sdssflow.explore.spectra) and not measured templates: they explain, nothing is fitted with them.
As the redshift grows the break moves from u into g and r; g - r reddens until the break has crossed
g, then r - i takes over.

Inputs: none needed; ``catalogue`` (a clean catalogue with redshifts), if given, adds the running
median of real galaxies. Parameters: ``settings`` (canonical Figures); with a catalogue also
``features`` (canonical Features) and ``sample``. Outputs: ``figure``, ``table``
(redshifted_colors.csv: spectrum, zspec, u_g, g_r, r_i, i_z in AB mag).
"""

from sdssflow.configuration.features import Features
from sdssflow.configuration.figures import Figures
from sdssflow.explore.filter_figures import draw_redshifted_spectrum
from sdssflow.explore.filters import redshifted_colors
from sdssflow.explore.objects import read_objects
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.tables import write_csv


def main(snakemake):
    settings = Figures.from_canonical(snakemake.params.settings)
    catalogue = getattr(snakemake.input, "catalogue", None)
    galaxies = None
    if catalogue:
        features = Features.from_canonical(snakemake.params.features)
        needs = ("magnitudes", "zspec")
        galaxies = read_objects(
            catalogue, snakemake.params.sample, features, "color_redshift", needs
        )
    colors = redshifted_colors()
    write_csv(colors, snakemake.output.table)
    with style():
        figure = draw_redshifted_spectrum(colors, galaxies)
        save_figure(figure, snakemake.output.figure, settings)


if "snakemake" in globals():
    run(main, snakemake)
