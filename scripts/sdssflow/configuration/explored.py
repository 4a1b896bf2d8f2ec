"""The figures that `explore.figures` may name."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias


class Explored(NamedTuple):
    """A figure of the catalogue: its title and caption in the report, and the columns it needs.

    `magnitudes` among the columns means the magnitudes of the features.
    """

    title: str
    caption: str
    needs: tuple[str, ...]


# drawn by explore/catalogue_figures.py
EXPLORED = {
    "sky_map": Explored(
        "Where the objects are",
        "Positions on the sky in equatorial coordinates (ICRS), right ascension increasing to the "
        "left.",
        ("ra", "dec"),
    ),
    "magnitudes": Explored(
        "Magnitudes",
        "Distribution of the magnitudes in the five bands. Outside: beyond the range shown.",
        ("magnitudes",),
    ),
    "redshifts": Explored("Redshifts", "Distribution of the spectroscopic redshift.", ("zspec",)),
    "color_color": Explored(
        "Colour-colour diagrams",
        "Adjacent colours plotted against each other. Stars lie on a narrow locus; galaxies spread "
        "with type and redshift; quasars are blue in u − g.",
        ("magnitudes",),
    ),
    "color_redshift": Explored(
        "Colours against redshift",
        "Each adjacent colour against the spectroscopic redshift, with its running median: the "
        "relation that a photometric redshift inverts.",
        ("magnitudes", "zspec"),
    ),
}
ExploredFigure: TypeAlias = Literal[tuple(EXPLORED)]  # type: ignore[valid-type]  # their names
