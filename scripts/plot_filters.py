"""Show why colours carry redshift: a galaxy spectrum moves through the SDSS filters.

The spectra are schematic (black body, 4000 Å break, lines at their laboratory wavelengths; see
sdssflow.explore.spectra), not measured templates, and are not used for fitting. With increasing
redshift the break moves from u into g and r; g - r reddens until the break has crossed g, then
r - i does.

Input: none. Parameters: ``settings`` (canonical Figures). Outputs: ``figure``, ``table``
(redshifted_colors.csv: spectrum, zspec, u_g, g_r, r_i, i_z in AB mag).
"""

from sdssflow.configuration.figures import Figures
from sdssflow.explore.spectra import draw_redshifted_spectrum, redshifted_colors
from sdssflow.logs import run
from sdssflow.plotting import save_figure, style
from sdssflow.tables import write_csv


def main(snakemake):
    colors = redshifted_colors()
    write_csv(colors, snakemake.output.table)
    with style():
        figure = draw_redshifted_spectrum(colors)
        save_figure(
            figure, snakemake.output.figure, Figures.from_canonical(snakemake.params.settings)
        )


if "snakemake" in globals():
    run(main, snakemake)
