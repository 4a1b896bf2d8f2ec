"""What the models see."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from sdssflow.configuration.section import Different, Name, Section, SomeDifferent

Band = Literal["u", "g", "r", "i", "z"]
Magnitudes = Literal["model", "psf", "petro", "cmodel"]

LEAKS = {
    "redshift": "the redshift is what is to be learnt, and it gives the class away",
    "zspec": "the redshift is what is to be learnt, and it gives the class away",
    "class": "the class is what is to be learnt",
    "plate": "targets share plates: a plate tells the class without looking at the sky",
    "mjd": "the date of the spectrum goes with the plate",
    "fiberid": "fibres are plugged by target class",
    "objid": "an id encodes run, column and field",
    "specobjid": "an id encodes plate, date and fibre",
    "run": "runs share depth and target selection",
    "rerun": "a label of the reduction, not of the object",
    "camcol": "a place in the camera, not a property of the object",
    "field": "fields share depth and target selection",
    "ra": "positions tell survey stripes, not objects",
    "dec": "positions tell survey stripes, not objects",
    "warning": "set by the spectroscopic pipeline when it fits class and redshift",
}
"""What would leak the truth into the features, and why."""
SPELLINGS = {
    **dict.fromkeys(("z", "zspec", "specz", "zsp", "spectroscopicredshift"), "zspec"),
    **dict.fromkeys(("specclass", "subclass", "specsubclass", "sourceclass"), "class"),
    **dict.fromkeys(("zwarning", "zwarn"), "warning"),
    **dict.fromkeys(("plateid", "plateno"), "plate"),
    **dict.fromkeys(("fiber", "fibre", "fibreid"), "fiberid"),
    **dict.fromkeys(("photoobjid", "bestobjid", "wiseid", "cntr"), "objid"),
}
"""Further words that files and surveys have for the same, without underscores."""


def leak_of(name: str) -> str | None:
    """Return why a column of this name would give the truth away; None if its name does not say so.

    >>> leak_of("zWarning"), leak_of("petroR90_r")
    ('set by the spectroscopic pipeline when it fits class and redshift', None)
    """
    word = re.sub(r"[^a-z0-9]", "", name.lower())
    words = (SPELLINGS.get(word, word), *name.lower().split("_"))
    return next((LEAKS[word] for word in words if word in LEAKS), None)


FeatureGroup = Literal[
    "magnitudes",
    "colors",
    "reference_magnitude",
    "magnitude_errors",
    "color_errors",
    "luptitudes",
    "psf_minus_model",
    "psf_minus_petro",
    "psf_minus_cmodel",
    "resolved",
    "petro_radius",
    "concentration",
    "shape",
    "wise_colors",
    "extra",
]


class Features(Section):
    """From magnitudes to the numbers the models see."""

    magnitudes: Magnitudes = "model"
    """Which of the SDSS magnitudes colours and magnitudes are made of."""
    groups: SomeDifferent[FeatureGroup] = [
        "colors",
        "reference_magnitude",
    ]
    """Groups of features, in this order. Redshifts, ids, plates, fibres and positions are not
    among them and can't be. What each group holds and needs: docs/features.md."""
    extra: Different[Name] = Field(default=[], exclude_if=lambda names: not names)
    """Columns that the group `extra` takes as they are: those of `source.declared`, and those
    beyond ugriz that need no declaration, such as `wise_mag_w1`."""
    reference_band: Band = "r"
    """Band of the reference magnitude; also the magnitude that scores are binned by."""
    deredden: bool = True
    """Subtract Galactic extinction where the catalogue knows it and has not yet applied it."""

    @field_validator("groups", mode="before")
    @classmethod
    def _no_leaks(cls, groups: object) -> object:
        aliases = {
            "z_warning": "warning",
            "zwarning": "warning",
            "spec_class": "class",
            "z": "zspec",
        }
        for group in groups if isinstance(groups, list) else []:
            name = aliases.get(str(group).lower(), str(group).lower())
            if name in LEAKS:
                raise ValueError(f"{group!r} can't be a feature: {LEAKS[name]}")
        return groups

    @field_validator("extra")
    @classmethod
    def _no_leaks_by_name(cls, names: list[str]) -> list[str]:
        for name in names:
            if reason := leak_of(name):
                raise ValueError(f"{name!r} can't be a feature: {reason}")
        return names

    @model_validator(mode="after")
    def _extra_has_columns(self) -> Features:
        if ("extra" in self.groups) != bool(self.extra):
            raise ValueError(
                "the group extra and the list extra go together: name in extra the columns that "
                "are to be features, and extra among the groups"
            )
        return self
