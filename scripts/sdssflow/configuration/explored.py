"""The figures that `explore.figures` may name."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias


class Explored(NamedTuple):
    """A figure of the catalogue: what the report says of it, and the columns that it is made of.

    `magnitudes` among these stands for those of the features.
    """

    title: str
    caption: str
    needs: tuple[str, ...]


# what draws them stands in explore/catalogue_figures.py
EXPLORED = {
    "sky_map": Explored(
        "Where the objects are",
        "Positions on the sky in equatorial coordinates (ICRS), right ascension growing to the "
        "left.",
        ("ra", "dec"),
    ),
    "magnitudes": Explored(
        "Magnitudes", "Distribution of magnitude in the five bands.", ("magnitudes",)
    ),
    "redshifts": Explored("Redshifts", "Distribution of the spectroscopic redshift.", ("zspec",)),
    "color_color": Explored(
        "Colours against colours",
        "Adjacent colours against each other. Stars lie on a narrow locus; galaxies spread with "
        "type and redshift; quasars are blue in u − g.",
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
