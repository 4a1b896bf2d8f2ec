"""Names of what gives the truth away: no feature may be one of them, and no declared column."""

from __future__ import annotations

import re

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
    "sdss_photoz": "SDSS fitted it to redshifts of its spectra, those to be tested on among them",
}
"""What would leak the truth into the features, and why."""
SPELLINGS = {
    **dict.fromkeys(("z", "zspec", "specz", "zsp", "spectroscopicredshift"), "zspec"),
    **dict.fromkeys(("specclass", "subclass", "specsubclass", "sourceclass"), "class"),
    **dict.fromkeys(("zwarning", "zwarn"), "warning"),
    **dict.fromkeys(("plateid", "plateno"), "plate"),
    **dict.fromkeys(("fiber", "fibre", "fibreid"), "fiberid"),
    **dict.fromkeys(("photoobjid", "bestobjid", "wiseid", "cntr"), "objid"),
    **dict.fromkeys(("sdssphotoz", "sdssphotozerr", "sdssphotozneighbours"), "sdss_photoz"),
    **dict.fromkeys(("sdssphotozerrorclass", "photoerrorclass", "nncount"), "sdss_photoz"),
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
