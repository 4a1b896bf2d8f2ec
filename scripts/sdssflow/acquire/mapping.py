"""Which column of a file is which: the user's mapping, checked before the file is read."""

from __future__ import annotations

from sdssflow.acquire.errors import CatalogueError, nearest
from sdssflow.acquire.schema import BANDS, COLUMNS, MAGNITUDES

CATALOGUE_NAMES = (
    ", ".join(name for name in COLUMNS if name[-2:-1] != "_" and name != "row_id")
    + ", petro_rad_r, and for each band u, g, r, i, z: model_mag_u, psf_mag_u, petro_mag_u, "
    "cmodel_mag_u, model_mag_err_u, psf_mag_err_u, petro_mag_err_u, cmodel_mag_err_u, extinction_u"
)


def check_mapping(path: str, columns: dict[str, str]) -> None:
    """Refuse a mapping from which no catalogue can be made.

    Parameters
    ----------
    path : str
        The file, for messages.
    columns : dict of str to str
        Catalogue name -> name in the file.

    Raises
    ------
    CatalogueError
        For an unknown catalogue name, `row_id`, one file column named twice, only one of `ra` and
        `dec`, neither `spec_class` nor `zspec`, or no kind of magnitude with all five bands.
    """
    for name in columns:
        if name == "row_id":
            raise CatalogueError(
                path,
                "source.columns maps row_id, which is assigned on import",
                "Take row_id out of source.columns.",
            )
        if name not in COLUMNS:
            known = [column for column in COLUMNS if column != "row_id"]
            raise CatalogueError(
                path,
                f"source.columns maps {name!r}, which is no catalogue column{nearest(name, known)}",
                f"Use the names of the catalogue: {CATALOGUE_NAMES}.",
            )
    first_use: dict[str, str] = {}
    for name, in_file in columns.items():
        if in_file in first_use:
            raise CatalogueError(
                path,
                f"source.columns maps both {first_use[in_file]} and {name} to {in_file!r}",
                "Map each column of the file once.",
            )
        first_use[in_file] = name
    if ("ra" in columns) != ("dec" in columns):
        raise CatalogueError(
            path,
            "source.columns maps only one of ra and dec",
            "Map both, or neither if positions are not known.",
        )
    _check_enough(path, columns)


def _check_enough(path: str, columns: dict[str, str]) -> None:
    if "spec_class" not in columns and "zspec" not in columns:
        raise CatalogueError(
            path,
            "source.columns maps neither spec_class nor zspec: there is nothing to learn",
            "Map the column with classes to spec_class or the one with redshifts to zspec.",
        )
    missing = {
        kind: [band for band in BANDS if f"{kind}_mag_{band}" not in columns] for kind in MAGNITUDES
    }
    if all(missing.values()):
        closest = min(MAGNITUDES, key=lambda kind: len(missing[kind]))
        names = ", ".join(f"{closest}_mag_{band}" for band in missing[closest])
        raise CatalogueError(
            path,
            "source.columns maps no kind of magnitude in all five bands; "
            f"closest to complete is {closest}, without {names}",
            "Map u, g, r, i and z of model, psf, petro or cmodel magnitudes.",
        )
