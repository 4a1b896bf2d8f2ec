"""What "look at your data" draws and looks for."""

from __future__ import annotations

from typing import Literal, TypeAlias

from sdssflow.configuration.clustering import Clustering, Outliers
from sdssflow.configuration.section import Different

# title and caption of each figure that `explore.figures` may name; what draws it stands in
# explore/catalogue_figures.py
EXPLORED: dict[str, tuple[str, str]] = {
    "sky_map": (
        "Where the objects are",
        "Positions on the sky in equatorial coordinates (ICRS), right ascension growing to the "
        "left.",
    ),
    "magnitudes": ("Magnitudes", "Distribution of magnitude in the five bands."),
    "redshifts": ("Redshifts", "Distribution of the spectroscopic redshift."),
    "color_color": (
        "Colours against colours",
        "Adjacent colours against each other. Stars lie on a narrow locus; galaxies spread with "
        "type and redshift; quasars are blue in u − g.",
    ),
    "color_redshift": (
        "Colours against redshift",
        "Each adjacent colour against the spectroscopic redshift, with its running median: the "
        "relation that a photometric redshift inverts.",
    ),
}
ExploredFigure: TypeAlias = Literal[tuple(EXPLORED)]  # type: ignore[valid-type]  # their names


class Exploration(Clustering):
    """What "look at your data" draws and which groups are looked for."""

    figures: Different[ExploredFigure] = ["magnitudes", "color_color"]
    """Figures of the catalogue. `sky_map` needs positions, `redshifts` and `color_redshift` need
    redshifts."""

    outliers: Outliers = Outliers()
    """How strange objects are looked for."""

    def clustering(self) -> Clustering:
        """Return what finds and projects groups: figures and strange objects don't matter to it."""
        return Clustering.model_validate(self.model_dump(exclude={"figures", "outliers"}))
