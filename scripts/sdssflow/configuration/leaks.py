"""Names of quantities that give the truth away: no feature and no declared column may have one."""

from __future__ import annotations

import re

LEAKS = {
    "redshift": "the redshift is the quantity to learn, and it gives the class away",
    "zspec": "the redshift is the quantity to learn, and it gives the class away",
    "class": "the class is the quantity to learn",
    "plate": "targets of a class share plates, so the plate gives the class away",
    "mjd": "the date of the spectrum goes with the plate",
    "fiberid": "fibres are plugged by target class",
    "objid": "an id encodes run, column and field",
    "specobjid": "an id encodes plate, date and fibre",
    "run": "runs share depth and target selection",
    "rerun": "a label of the reduction, not of the object",
    "camcol": "a place in the camera, not a property of the object",
    "field": "fields share depth and target selection",
    "ra": "positions identify survey stripes, not objects",
    "dec": "positions identify survey stripes, not objects",
    "warning": "set by the spectroscopic pipeline when it fits class and redshift",
    "sdss_photoz": "SDSS fitted it to redshifts of its spectra, which include the test objects",
}
"""What would leak the truth into the features, and why."""
SPELLINGS = {
    **dict.fromkeys(("z", "zspec", "specz", "zsp", "spectroscopicredshift", "zerr"), "zspec"),
    **dict.fromkeys(("znoqso", "zperson", "elodiez", "zvi", "zpipe", "zpca", "zqn"), "zspec"),
    **dict.fromkeys(("specclass", "subclass", "specsubclass", "sourceclass"), "class"),
    **dict.fromkeys(("zwarning", "zwarn"), "warning"),
    **dict.fromkeys(("plateid", "plateno"), "plate"),
    **dict.fromkeys(("fiber", "fibre", "fibreid"), "fiberid"),
    **dict.fromkeys(("photoobjid", "bestobjid", "wiseid", "cntr"), "objid"),
    **dict.fromkeys(("sdssphotoz", "sdssphotozerr", "sdssphotozneighbours"), "sdss_photoz"),
    **dict.fromkeys(("sdssphotozerrorclass", "photoerrorclass", "nncount"), "sdss_photoz"),
}
"""Names of the same in files and surveys, without underscores."""
# as parts of a name: the band z, and magnitudes within a fibre
HARMLESS_PARTS = {"z", "fiber", "fibre"}


def leak_of(name: str) -> str | None:
    """Return why a column of this name would give the truth away; None if the name is harmless.

    >>> leak_of("zWarning"), leak_of("petroR90_r")
    ('set by the spectroscopic pipeline when it fits class and redshift', None)
    """
    parts = {part for part in name.lower().split("_") if part not in HARMLESS_PARTS}
    words = [re.sub(r"[^a-z0-9]", "", name.lower()), *sorted(parts)]
    known = (SPELLINGS.get(word, word) for word in words)
    return next((LEAKS[word] for word in known if word in LEAKS), None)
