"""What the name of a column in the file says it is, against what it is mapped to.

Most files say nothing of units, and only their names tell what columns are: a flux near 19
looks like a magnitude, and ``dered_u`` corrected once more looks like a bluer object. A name that
clearly says another thing than its mapping is refused; `source.confirmed` settles it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sdssflow.acquire.schema import BANDS
from sdssflow.configuration.sources import FileSource, TapSource

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
TARGET = re.compile(r"(model|psf|petro|cmodel)_mag(_err)?_([ugriz])|(extinction)_([ugriz])")
FLUX = re.compile(r"flux|mgy|mag(gy|gies)|jansky|counts|fnu|f_?lam(bda)?")
JANSKY = re.compile(r"[mun]?jy")
DEREDDENED = re.compile(
    r"de_?red|un_?red|un_?ext|corrected|ext(inction)?_?cor|dust_?(cor|free)|cor_?(ext|dust)"
    r"|no_?dust|(_|(?<![a-z])[ugriz])cor(r)?$"
)
# u0, u_0, mag0_u: before the dust
NAUGHT = re.compile(r"[ugriz]_?(mag)?_?0(_?mag)?|mag_?0_?[ugriz]|mag_?[ugriz]_?0")
KINDS = {
    "cmodel": re.compile(r"c_?model|composite"),
    "model": re.compile(r"(?<!c)(?<!c_)model"),
    "psf": re.compile(r"psf"),
    "petro": re.compile(r"petro"),
    "fiber": re.compile(r"fib(er|re)_?2?_?mag"),
    "de Vaucouleurs": re.compile(r"dev_?mag"),
    "exponential": re.compile(r"exp_?mag"),
}
ERROR = re.compile(r"err.*|.*err(or)?s?|sig(ma)?|unc(ert(ainty)?)?|std(dev)?")
VARIANCE = re.compile(r"i_?var|inv_?var|variance")
REDDENING = re.compile(r"e_?\(?b_?-?v\)?(_?sfd)?|sfd")
VELOCITY = re.compile(r"cz|(rad)?_?vel(ocity)?|v_?(hel(io)?|rad)|rv")
QUALITY = re.compile(r"warn|conf|flag|status|quality")
PHOTOMETRIC = re.compile(r"phot|_?z_?ph(?![a-z])|_?pz(?![a-z])")
MAGNITUDE = re.compile(r"mag|dered|psf|petro|model")
REDSHIFT = re.compile(r"z|redshift|z_?spec|spec_?z|z_?sp")
COLOR = re.compile(r"([ugriz])_?-?_?([ugriz])")
OTHER_AXIS = {
    "ra": re.compile(
        r"de(c(l(ination)?)?)?(_?j?2000|_?deg)?|delta|b|l|glat|glon|e?lat|e?lon|gal_?[bl]"
    ),
    "dec": re.compile(r"ra(_?j?2000|_?deg)?|alpha|b|l|glat|glon|e?lat|e?lon|gal_?[bl]"),
}
ANGLES = {"rad": {"rad", "rads", "radian", "radians"}, "hourangle": {"h", "hr", "hrs", "hour",
          "hours", "hms"}}  # fmt: skip


class Name(NamedTuple):
    """A column's name in the file, taken apart."""

    lower: str
    words: tuple[str, ...]
    element: int | None

    @classmethod
    def of(cls, ref: str) -> Name:
        """Take ``photoObj.modelMag[0]`` apart: qualifier and index off, words at the humps."""
        index = re.search(r"\[(\d+)\]$", ref)
        plain = re.sub(r"\[\d+\]$", "", ref).rsplit(".", 1)[-1].strip()
        words = tuple(word.lower() for word in WORD.findall(plain))
        return cls(plain.lower(), words, int(index[1]) if index else None)


class Doubt(NamedTuple):
    """What a name says, what its target is, and how to settle it, in a file or else on a server."""

    says: str
    target: str
    remedy: str
    on_server: str = ""


MAP_ANOTHER = "Map another column."


def contradiction(settings: FileSource | TapSource) -> tuple[str, str] | None:
    """Return what is wrong with a mapping that the names of the columns contradict, and what to do.

    Parameters
    ----------
    settings : FileSource or TapSource
        `columns` and `confirmed`; of a file also `extinction_applied` and `units`.

    Returns
    -------
    problem, advice : str
        Naming all columns with the same trouble at once. None if nothing is wrong.
    """
    is_file = isinstance(settings, FileSource)
    doubts: dict[Doubt, list[str]] = {}
    named = {
        name: Name.of(ref)
        for name, ref in settings.columns.items()
        if name not in settings.confirmed and ref != name
    }
    for name, found in named.items():
        for rule in RULES:
            doubt = rule(name, found, settings)
            if doubt is not None:
                doubts.setdefault(doubt, []).append(name)
                break
    both = _corrected_in_part(named) if is_file and settings.extinction_applied else None
    if both is not None:
        doubts.setdefault(both[0], both[1])
    for doubt, names in doubts.items():
        shown = ", ".join(f"{settings.columns[name]} -> {name}" for name in names[:2])
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        remedy = doubt.remedy if is_file else doubt.on_server or doubt.remedy
        return (
            f"source.columns maps {shown}{more}: the name says {doubt.says}, the catalogue has "
            f"{doubt.target} there",
            f"{remedy} If the mapping is right all the same, set source.confirmed: "
            f"[{', '.join(names)}].",
        )
    return None


def _magnitude(name: str) -> tuple[str, bool, str] | None:
    """Split the name of a magnitude, its error or an extinction: kind, whether an error, band."""
    match = TARGET.fullmatch(name)
    if match is None:
        return None
    return match[1] or match[4], bool(match[2]), match[3] or match[5]


def _flux(name: str, found: Name, settings: FileSource | TapSource) -> Doubt | None:
    if _magnitude(name) is None:
        return None
    if VARIANCE.search(found.lower):
        return Doubt(
            "a variance", "magnitudes and their errors", "Convert it in the file.", MAP_ANOTHER
        )
    is_flux = FLUX.search(found.lower) or any(map(JANSKY.fullmatch, found.words))
    if is_flux and "mag" not in found.words:
        return Doubt(
            "a flux",
            "magnitudes",
            "Map magnitudes, or convert the fluxes in the file: 22.5 - 2.5 log10 of nanomaggies, "
            "with source.magnitude_system: pogson.",
            "Map magnitudes.",
        )
    return None


def _dereddened(name: str, found: Name, settings: FileSource | TapSource) -> Doubt | None:
    target = _magnitude(name)
    if target is None or target[1] or not _is_dereddened(found):
        return None
    if target[0] == "extinction":
        return Doubt("a corrected magnitude", "the extinction", MAP_ANOTHER)
    if isinstance(settings, TapSource):
        return Doubt(
            "a magnitude corrected for extinction",
            "magnitudes as observed",
            "Map magnitudes that are not corrected.",
        )
    if settings.extinction_applied:
        return None
    return Doubt(
        "a magnitude corrected for extinction",
        "magnitudes as observed, since source.extinction_applied is false,",
        "Set source.extinction_applied: true, or map magnitudes that are not corrected.",
    )


def _is_dereddened(found: Name) -> bool:
    return bool(DEREDDENED.search(found.lower) or NAUGHT.fullmatch(found.lower))


def _corrected_in_part(named: Mapping[str, Name]) -> tuple[Doubt, list[str]] | None:
    """Find SDSS magnitudes as observed beside corrected ones: one key can't tell them apart."""
    magnitudes = {
        name: found
        for name, found in named.items()
        if (target := _magnitude(name)) is not None and target[0] != "extinction" and not target[1]
    }
    if not any(_is_dereddened(found) for found in magnitudes.values()):
        return None
    observed = [
        name
        for name, found in magnitudes.items()
        if not _is_dereddened(found) and "mag" in found.lower and _kinds(found)
    ]
    if not observed:
        return None
    return Doubt(
        "a magnitude as observed",
        "corrected ones, since source.extinction_applied is true,",
        "Leave those out, or subtract their extinction in the file.",
    ), observed


def _error(name: str, found: Name, settings: FileSource | TapSource) -> Doubt | None:
    target = _magnitude(name)
    wants_error = name == "zspec_err" or (target is not None and target[1])
    of_vizier = found.lower.startswith("e_") and not REDDENING.fullmatch(found.lower)
    says_error = of_vizier or any(map(ERROR.fullmatch, found.words))
    if wants_error:
        plain = REDSHIFT if name == "zspec_err" else re.compile(r"(c?model|psf|petro)mag_?[ugriz]?")
        if plain.fullmatch(found.lower):
            return Doubt("a value", "its error", MAP_ANOTHER)
    elif says_error and (target is not None or name in ("zspec", "ra", "dec")):
        return Doubt("an error", "the value itself", MAP_ANOTHER)
    return None


def _kinds(found: Name) -> set[str]:
    return {kind for kind, pattern in KINDS.items() if pattern.search(found.lower)}


def _other_kind(name: str, found: Name, settings: FileSource | TapSource) -> Doubt | None:
    target = _magnitude(name)
    if target is None:
        return None
    kinds = _kinds(found)
    if target[0] == "extinction":
        if kinds and "ext" not in found.lower:
            return Doubt("a magnitude", "the extinction", MAP_ANOTHER)
        if REDDENING.fullmatch(found.lower):
            return Doubt("a reddening E(B-V)", "the extinction in the band", MAP_ANOTHER)
        return None
    if re.search(r"extinct|reddening|(?<![a-z])ebv", found.lower) and not _is_dereddened(found):
        return Doubt("an extinction", "magnitudes", MAP_ANOTHER)
    if kinds and target[0] not in kinds:
        kind = sorted(kinds)[0]
        advice = f"Map it to {kind}_mag_*." if f"{kind}_mag_{target[2]}" in _KNOWN else MAP_ANOTHER
        return Doubt(f"a {kind} magnitude", f"{target[0]} magnitudes", advice)
    return None


_KNOWN = {f"{kind}_mag_{band}" for kind in ("model", "psf", "petro", "cmodel") for band in BANDS}


def _other_band(name: str, found: Name, settings: FileSource | TapSource) -> Doubt | None:
    target = _magnitude(name)
    if target is None:
        return None
    band = target[2]
    color = COLOR.fullmatch(found.lower)
    if color and color[1] != color[2]:
        return Doubt(f"the colour {color[1]}-{color[2]}", "magnitudes", MAP_ANOTHER)
    said = {word for word in found.words if word in BANDS}
    run_on = re.fullmatch(r"(e_)?([ugriz])_?(p|psf|model)?mag(err)?|mag([ugriz])", found.lower)
    if run_on:
        said.add(run_on[2] or run_on[5])
    if found.element is not None and not said and (_kinds(found) or "extinct" in found.lower):
        said = {BANDS[found.element]} if found.element < len(BANDS) else set()
    if said and band not in said:
        return Doubt(
            f"the band {', '.join(sorted(said))}",
            f"{band}",
            "Map each band to its own column; elements of SDSS vectors are u, g, r, i, z from 0.",
        )
    return None


def _redshift(name: str, found: Name, settings: FileSource | TapSource) -> Doubt | None:
    if name not in ("zspec", "zspec_err"):
        return None
    photometric = PHOTOMETRIC.search(found.lower) or "photoz." in settings.columns[name].lower()
    if photometric and "spec" not in found.lower:
        return Doubt(
            "a photometric redshift",
            "spectroscopic ones, the truth that is learnt,",
            "Map the spectroscopic redshift.",
        )
    if VELOCITY.fullmatch(found.lower):
        return Doubt(
            "a velocity", "redshifts", "Divide it by the speed of light in the file.", MAP_ANOTHER
        )
    if QUALITY.search(found.lower):
        return Doubt("a flag", "redshifts", "Map the redshift; zWarning is z_warning.")
    if MAGNITUDE.search(found.lower) or FLUX.search(found.lower):
        return Doubt("the band z", "redshifts", "Map the redshift.")
    return None


def _position(name: str, found: Name, settings: FileSource | TapSource) -> Doubt | None:
    if name not in OTHER_AXIS:
        return None
    if OTHER_AXIS[name].fullmatch(found.lower):
        return Doubt("another coordinate", f"{name}, equatorial,", MAP_ANOTHER)
    for unit, words in ANGLES.items():
        converted = isinstance(settings, FileSource) and name in settings.units
        if words & set(found.words) and not converted:
            return Doubt(
                unit,
                "degrees",
                f"Set source.units: {{{name}: {unit}}} to have it converted.",
                MAP_ANOTHER,
            )
    return None


def _identifier(name: str, found: Name, settings: FileSource | TapSource) -> Doubt | None:
    plain = found.lower.replace("_", "")
    if name == "objid" and plain.startswith("specobj"):
        return Doubt("the id of a spectrum", "that of its object", "Map it to specobjid.")
    if name == "specobjid" and plain in ("objid", "bestobjid", "photoobjid"):
        return Doubt("the id of an object", "that of its spectrum", "Map it to objid.")
    return None


RULES: tuple[Callable[[str, Name, FileSource | TapSource], Doubt | None], ...] = (
    _flux,
    _dereddened,
    _error,
    _other_kind,
    _other_band,
    _redshift,
    _position,
    _identifier,
)
