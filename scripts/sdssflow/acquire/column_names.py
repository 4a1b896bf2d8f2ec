"""Compare the name of a column in the file with the catalogue column it is mapped to.

Most files state no units, so that only the names identify columns: a flux near 19 looks like a
magnitude, and ``dered_u`` corrected a second time looks like a bluer object. A name that clearly
contradicts its mapping is refused, unless it is listed in `source.confirmed`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from sdssflow.acquire.schema import BANDS, MAGNITUDES
from sdssflow.configuration.file_sources import FileContent
from sdssflow.configuration.sources import TapSource

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
TARGET = re.compile(r"(model|psf|petro|cmodel)_mag(_err)?_([ugriz])|(extinction)_([ugriz])")
FLUX = re.compile(r"flux|mgy|mag(gy|gies)|jansky|counts|fnu|f_?lam(bda)?")
JANSKY = re.compile(r"[mun]?jy")
DEREDDENED = re.compile(
    r"de_?red|un_?red|un_?ext|corrected|ext(inction)?_?cor|dust_?(cor|free)|cor_?(ext|dust)"
    r"|no_?dust|(_|(?<![a-z])[ugriz])cor(r)?$"
)
# u0, u_0, mag0_u: corrected for dust
ZERO_SUBSCRIPT = re.compile(r"[ugriz]_?(mag)?_?0(_?mag)?|mag_?0_?[ugriz]|mag_?[ugriz]_?0")
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
    """A column's name in the file, split into words."""

    lower: str
    words: tuple[str, ...]
    element: int | None

    @classmethod
    def of(cls, ref: str) -> Name:
        """Split ``photoObj.modelMag[0]`` into its words, without qualifier and index."""
        index = re.search(r"\[(\d+)\]$", ref)
        plain = re.sub(r"\[\d+\]$", "", ref).rsplit(".", 1)[-1].strip()
        words = tuple(word.lower() for word in WORD.findall(plain))
        return cls(plain.lower(), words, int(index[1]) if index else None)


class Doubt(NamedTuple):
    """What a name means, what its target is, and the remedies for a file and for a server."""

    says: str
    target: str
    remedy: str = "Map another column."
    on_server: str = ""


class Magnitude(NamedTuple):
    """A magnitude, magnitude error or ``extinction`` of the catalogue, by its name."""

    kind: str
    is_error: bool
    band: str

    @classmethod
    def of(cls, name: str) -> Magnitude | None:
        """Parse ``psf_mag_err_u``; None for other names."""
        match = TARGET.fullmatch(name)
        return match and cls(match[1] or match[4], bool(match[2]), match[3] or match[5])


IN_PART = Doubt(
    "a magnitude as observed",
    "corrected magnitudes, since source.extinction_applied is true",
    "Leave those out, or subtract their extinction in the file.",
)


def contradiction(settings: FileContent | TapSource) -> tuple[str, str] | None:
    """Return problem and remedy of a mapping that the columns' names contradict, or None.

    All columns with the same problem are named at once.
    """
    doubts: dict[Doubt, list[str]] = {}
    named = {
        name: Name.of(ref)
        for name, ref in settings.columns.items()
        if name not in settings.confirmed and ref != name
    }
    for name, found in named.items():
        doubt = _doubt(name, found, settings)
        if doubt is not None:
            doubts.setdefault(doubt, []).append(name)
    observed = []
    if isinstance(settings, FileContent) and settings.extinction_applied:
        observed = _observed(named)
    if observed:
        doubts.setdefault(IN_PART, observed)
    if not doubts:
        return None
    doubt, names = next(iter(doubts.items()))
    shown = ", ".join(f"{settings.columns[name]} -> {name}" for name in names[:2])
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    on_server = doubt.on_server and not isinstance(settings, FileContent)
    remedy = doubt.on_server if on_server else doubt.remedy
    return (
        f"source.columns maps {shown}{more}: the name says {doubt.says}, the catalogue "
        f"column holds {doubt.target}",
        f"{remedy} If the mapping is right nevertheless, set source.confirmed: "
        f"[{', '.join(names)}].",
    )


def _doubt(name: str, found: Name, settings: FileContent | TapSource) -> Doubt | None:
    target = Magnitude.of(name)
    if target is not None:
        return (
            _flux(found)
            or _dereddened(target, found, settings)
            or _error(name, target, found)
            or _other_kind(target, found)
            or _other_band(target, found)
        )
    doubt = _error(name, None, found)
    if doubt is None and name in ("zspec", "zspec_err"):
        doubt = _redshift(settings.columns[name], found)
    if doubt is None and name in OTHER_AXIS:
        doubt = _position(name, found, isinstance(settings, FileContent) and name in settings.units)
    plain = found.lower.replace("_", "")
    if name == "objid" and plain.startswith("specobj"):
        return Doubt("the id of a spectrum", "that of its object", "Map it to specobjid.")
    if name == "specobjid" and plain in ("objid", "bestobjid", "photoobjid"):
        return Doubt("the id of an object", "that of its spectrum", "Map it to objid.")
    return doubt


def _flux(found: Name) -> Doubt | None:
    if VARIANCE.search(found.lower):
        return Doubt(
            "a variance",
            "magnitudes and their errors",
            "Convert it in the file.",
            "Map another column.",
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


def _dereddened(target: Magnitude, found: Name, settings: FileContent | TapSource) -> Doubt | None:
    if target.is_error or not is_dereddened(found):
        return None
    if target.kind == "extinction":
        return Doubt("a corrected magnitude", "the extinction")
    if isinstance(settings, TapSource):
        return Doubt(
            "a magnitude corrected for extinction",
            "magnitudes as observed",
            "Map uncorrected magnitudes.",
        )
    if settings.extinction_applied:
        return None
    return Doubt(
        "a magnitude corrected for extinction",
        "magnitudes as observed, since source.extinction_applied is false",
        "Set source.extinction_applied: true, or map uncorrected magnitudes.",
    )


def is_dereddened(found: Name) -> bool:
    """Return whether a name says that extinction was subtracted."""
    return bool(DEREDDENED.search(found.lower) or ZERO_SUBSCRIPT.fullmatch(found.lower))


def _observed(named: Mapping[str, Name]) -> list[str]:
    """Return the SDSS magnitudes as observed if others are corrected: no key covers both."""
    targets = {name: Magnitude.of(name) for name in named}
    magnitudes = {
        name: named[name]
        for name, target in targets.items()
        if target and target.kind != "extinction" and not target.is_error
    }
    if not any(map(is_dereddened, magnitudes.values())):
        return []
    return [
        name
        for name, found in magnitudes.items()
        if not is_dereddened(found) and "mag" in found.lower and _kinds(found)
    ]


def _error(name: str, target: Magnitude | None, found: Name) -> Doubt | None:
    if name == "zspec_err" or (target is not None and target.is_error):
        plain = REDSHIFT if name == "zspec_err" else re.compile(r"(c?model|psf|petro)mag_?[ugriz]?")
        return Doubt("a value", "its error") if plain.fullmatch(found.lower) else None
    of_vizier = found.lower.startswith("e_") and not REDDENING.fullmatch(found.lower)
    says_error = of_vizier or any(map(ERROR.fullmatch, found.words))
    if says_error and (target is not None or name in ("zspec", "ra", "dec")):
        return Doubt("an error", "the value itself")
    return None


def _kinds(found: Name) -> set[str]:
    return {kind for kind, pattern in KINDS.items() if pattern.search(found.lower)}


def _other_kind(target: Magnitude, found: Name) -> Doubt | None:
    kinds = _kinds(found)
    if target.kind == "extinction":
        if kinds and "ext" not in found.lower:
            return Doubt("a magnitude", "the extinction")
        if REDDENING.fullmatch(found.lower):
            return Doubt("a reddening E(B-V)", "the extinction in the band")
        return None
    if re.search(r"extinct|reddening|(?<![a-z])ebv", found.lower) and not is_dereddened(found):
        return Doubt("an extinction", "magnitudes")
    if kinds and target.kind not in kinds:
        kind = sorted(kinds)[0]
        remedy = {"remedy": f"Map it to {kind}_mag_*."} if kind in MAGNITUDES else {}
        return Doubt(f"a {kind} magnitude", f"{target.kind} magnitudes", **remedy)
    return None


def _other_band(target: Magnitude, found: Name) -> Doubt | None:
    color = COLOR.fullmatch(found.lower)
    if color and color[1] != color[2]:
        return Doubt(f"the colour {color[1]}-{color[2]}", "magnitudes")
    said = {word for word in found.words if word in BANDS}
    run_on = re.fullmatch(r"(e_)?([ugriz])_?(p|psf|model)?mag(err)?|mag([ugriz])", found.lower)
    if run_on:
        said.add(run_on[2] or run_on[5])
    if found.element is not None and not said and (_kinds(found) or "extinct" in found.lower):
        said = set(BANDS[found.element : found.element + 1])
    if said and target.band not in said:
        return Doubt(
            f"the band {', '.join(sorted(said))}",
            target.band,
            "Map each band to its own column; elements of SDSS vectors are u, g, r, i, z from 0.",
        )
    return None


def _redshift(ref: str, found: Name) -> Doubt | None:
    photometric = PHOTOMETRIC.search(found.lower) or "photoz." in ref.lower()
    if photometric and "spec" not in found.lower:
        return Doubt(
            "a photometric redshift",
            "spectroscopic redshifts, which models learn from",
            "Map the spectroscopic redshift.",
        )
    if VELOCITY.fullmatch(found.lower):
        return Doubt(
            "a velocity",
            "redshifts",
            "Divide it by the speed of light in the file.",
            "Map another column.",
        )
    if QUALITY.search(found.lower):
        return Doubt("a flag", "redshifts", "Map the redshift; zWarning is z_warning.")
    if MAGNITUDE.search(found.lower) or FLUX.search(found.lower):
        return Doubt("the band z", "redshifts", "Map the redshift.")
    return None


def _position(name: str, found: Name, converted: bool) -> Doubt | None:
    if OTHER_AXIS[name].fullmatch(found.lower):
        return Doubt("another coordinate", f"equatorial {name}")
    for unit, words in ANGLES.items():
        if words & set(found.words) and not converted:
            remedy = f"Set source.units: {{{name}: {unit}}} to have it converted."
            return Doubt(unit, "degrees", remedy, "Map another column.")
    return None
