"""A simulated sky as the SpecObj, PhotoObj and WISE tables of SkyServer.

For objects without spectra: PhotoObj and WISE, and the truth in a separate table.

The tables are made in blocks of some plates. Each block has its own random generator, seeded by the
seed and the number of the block, and needs no other block: memory is bounded whatever the number of
spectra, and the result doesn't depend on the order of the blocks.

Within a plate, fibres and imaging fields are numbered in order of right ascension, so a range of
specObjIDs belongs to a narrow range of objIDs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.bands import SFD_COEFFICIENT
from sdssflow.files import replacing
from skyserver_standin.sky.conventions import (
    BANDS,
    PHOTOOBJ,
    SPECOBJ,
    pack_objid,
    pack_specobjid,
    unpack_objid,
)
from skyserver_standin.sky.galaxies import draw_galaxies
from skyserver_standin.sky.infrared import WISE, shapes, wise_table
from skyserver_standin.sky.instruments import CLASSES, Sources, add_defects, fit_spectra, measure
from skyserver_standin.sky.oddities import Oddities
from skyserver_standin.sky.plates import (
    PROGRAMMES,
    Plates,
    blocks_of_plates,
    footprint_positions,
    plan_plates,
    positions_on_plate,
    reddening,
)
from skyserver_standin.sky.quasars import draw_quasars
from skyserver_standin.sky.stars import draw_stars

BLOCK_ROWS = 50_000
REPEAT_SHARE = 0.03
UNMATCHED_SHARE = 0.01
# the range of real imaging runs; camera columns; fields of a run
FIRST_RUN, RUNS, CAMCOLS, FIRST_FIELD, FIELDS = 94, 8000, 6, 11, 800
STAR_GALAXY_CUT = 0.145  # mag: psf minus cmodel magnitude (SDSS DR17, page "Classification")
SPECTRA_PER_FIELD, OBJ_STEP = 3, 17
# without spectra: objects that share a stretch of fields, and the fraction observed twice
OBJECTS_PER_STRETCH, SECONDARY_SHARE = 100, 0.1
PRIMARY, SECONDARY = 1, 2  # mode
PHOTOMETRY_STREAM = 1  # a random stream other than that of spectra
# streams of quantities that were added later, so that the others did not change
SPECTRA_FURTHER, PHOTOMETRY_FURTHER = 2, 3
REPEAT_DELAY = 29  # nights
GALAXY_TYPE, STAR_TYPE = 3, 6
DRAW = {"galaxies": draw_galaxies, "quasars": draw_quasars, "stars": draw_stars}
# survey: (family, kind): fraction of its spectra. Round numbers, chosen so that the classes of the
# whole survey and of its bright part are roughly as in the SDSS
SHARES = {
    "sdss": {
        ("galaxies", "main"): 0.63,
        ("galaxies", "luminous"): 0.12,
        ("quasars", "legacy"): 0.06,
        ("quasars", "highz"): 0.015,
        ("stars", "legacy"): 0.175,
    },
    "segue1": {("stars", "segue"): 0.97, ("galaxies", "main"): 0.02, ("quasars", "legacy"): 0.01},
    "segue2": {("stars", "segue"): 0.97, ("galaxies", "main"): 0.02, ("quasars", "legacy"): 0.01},
    "boss": {
        ("galaxies", "lowz"): 0.19,
        ("galaxies", "cmass"): 0.49,
        ("quasars", "boss"): 0.10,
        ("quasars", "eboss"): 0.06,
        ("stars", "boss"): 0.16,
    },
    "eboss": {
        ("galaxies", "red"): 0.18,
        ("galaxies", "line"): 0.15,
        ("galaxies", "cmass"): 0.15,
        ("quasars", "eboss"): 0.33,
        ("quasars", "boss"): 0.06,
        ("stars", "boss"): 0.13,
    },
    # objects without spectra: no survey
    "": {("galaxies", "field"): 0.46, ("quasars", "field"): 0.015, ("stars", "field"): 0.525},
}
TRUTH = pa.schema([("objid", pa.int64()), ("spec_class", pa.string()), ("zspec", pa.float64())])


def simulate_sky(folder: str | Path, objects: int, seed: int) -> None:
    """Write ``specobj.parquet``, ``photoobj.parquet`` and ``wise.parquet`` into a folder.

    `objects` is the number of spectra, rows of ``specobj.parquet``. There are about 4 % fewer
    photometric objects: some spectra repeat an object, some have no match in the imaging. The same
    `objects` and `seed` give the same bytes; ValueError if `objects` is not positive or `seed` is
    negative.
    """
    write_tables(
        folder, {"specobj": SPECOBJ, "photoobj": PHOTOOBJ, "wise": WISE}, sky_blocks(objects, seed)
    )


def simulate_photometry(folder: str | Path, objects: int, seed: int) -> None:
    """Write ``photoobj.parquet`` and ``wise.parquet`` of objects without spectra into a folder.

    Their class and redshift are in ``truth.parquet``. `objects` is the number of rows of each; a
    tenth are second observations of others, with ``mode`` 2. The same `objects` and `seed` give the
    same bytes; ValueError if `objects` is not positive or `seed` is negative.
    """
    write_tables(
        folder,
        {"photoobj": PHOTOOBJ, "wise": WISE, "truth": TRUTH},
        photometry_blocks(objects, seed),
    )


def write_tables(
    folder: str | Path, schemas: dict[str, pa.Schema], blocks: Iterator[tuple[pa.Table, ...]]
) -> None:
    """Write the blocks of several tables, each to its file, completely or not at all."""
    with ExitStack() as stack:
        writers = []
        for name, schema in schemas.items():
            path = stack.enter_context(replacing(Path(folder) / f"{name}.parquet"))
            # a dictionary of noisy numbers is as long as the column
            repeated = [field.name for field in schema if not pa.types.is_floating(field.type)]
            writer = pq.ParquetWriter(
                path, schema, compression="zstd", compression_level=1, use_dictionary=repeated
            )
            writers.append(stack.enter_context(writer))
        for tables in blocks:
            for writer, table in zip(writers, tables, strict=True):
                writer.write_table(table, row_group_size=max(len(table), 1))


def sky_blocks(
    objects: int, seed: int, rows: int = BLOCK_ROWS
) -> Iterator[tuple[pa.Table, pa.Table, pa.Table]]:
    """Yield the sky in blocks of about `rows` spectra; a plate is never divided.

    A block has the spectra of some plates in order of specObjID, their photometric objects in order
    of objID, and the matching WISE sources. Ids also ascend from block to block. Raises ValueError
    as `simulate_sky`.
    """
    check_size(objects, seed)
    plates = plan_plates(objects, np.random.default_rng([seed, 0]))
    for number, block in enumerate(blocks_of_plates(plates, rows)):
        further = np.random.default_rng([seed, number, SPECTRA_FURTHER])
        yield make_block(plates, block, np.random.default_rng([seed, 1 + number]), further)


def photometry_blocks(
    objects: int, seed: int, rows: int = BLOCK_ROWS
) -> Iterator[tuple[pa.Table, pa.Table, pa.Table]]:
    """Yield blocks of about `rows` objects without spectra, with WISE and the truth.

    Ids ascend from block to block; within one, objects are in order of right ascension. Raises
    ValueError as `simulate_photometry`.
    """
    check_size(objects, seed)
    rows = -(-rows // OBJECTS_PER_STRETCH) * OBJECTS_PER_STRETCH
    for number, start in enumerate(range(0, objects, rows)):
        rng = np.random.default_rng([seed, number, PHOTOMETRY_STREAM])
        further = np.random.default_rng([seed, number, PHOTOMETRY_FURTHER])
        at = np.arange(start, min(start + rows, objects))
        yield _make_photometry(at, objects, rng, further)


def _make_photometry(
    at: np.ndarray, objects: int, rng: np.random.Generator, further: np.random.Generator
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Make the objects with the (ascending) numbers `at` among all."""
    n = len(at)
    second = rng.random(n) < SECONDARY_SHARE
    second[0] = False
    first = np.arange(n)  # the object that each observation shows
    first[second] = rng.choice(np.flatnonzero(~second), second.sum())
    ra, dec = footprint_positions(n, rng)
    sources = _draw_survey("", n, rng)
    order = np.argsort(ra[first], kind="stable")
    first, second = first[order], second[order]
    sources = sources.rows(first)
    objid = _objids(at // OBJECTS_PER_STRETCH, -(-objects // OBJECTS_PER_STRETCH), rng)
    mode = np.where(second, SECONDARY, PRIMARY)
    photo, wise = _photoobj(objid, ra[first], dec[first], sources, mode, rng, further)
    truth = {
        "objid": objid,
        "spec_class": np.array(CLASSES)[sources.spec_class],
        "zspec": sources.redshift,
    }
    return photo, wise, _table(truth, TRUTH)


def check_size(objects: int, seed: int) -> None:
    """Raise ValueError for a sky without objects or a negative seed."""
    if objects < 1 or seed < 0:
        raise ValueError(f"objects={objects} must be at least 1 and seed={seed} at least 0")


def make_block(
    plates: Plates,
    block: slice,
    rng: np.random.Generator,
    further: np.random.Generator,
    odd: Oddities | None = None,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Return SpecObj, PhotoObj and WISE of some plates."""
    part = Plates(*(column[block] for column in plates))
    at = np.repeat(np.arange(len(part.plate)), part.spectra)  # plate of each spectrum
    fiber, mjd = _fibers_and_nights(part, rng)
    ra, dec = positions_on_plate(part.ra[at], part.dec[at], rng)
    order = np.lexsort(((ra - part.ra[at] + 180) % 360, at))
    ra, dec = ra[order], dec[order]
    found, counts = np.unique(part.programme[at], return_counts=True)  # they ascend
    sources = Sources.joined(
        _draw_survey(PROGRAMMES[i].survey, int(n), rng) for i, n in zip(found, counts, strict=True)
    )
    first, repeated = _repeats(at, rng)
    mjd = mjd + np.where(repeated, REPEAT_DELAY, 0)
    matched = rng.random(len(at)) >= UNMATCHED_SHARE
    objid = np.where(matched, _objids(at + block.start, len(plates.plate), rng), 0)
    kept = matched & ~repeated
    mode = np.full(kept.sum(), PRIMARY)
    pictured = sources.rows(kept)
    if odd is not None:
        pictured = odd.inject(objid[kept], pictured)
    photo, wise = _photoobj(objid[kept], ra[kept], dec[kept], pictured, mode, rng, further)
    spec = {
        "specObjID": pack_specobjid(part.plate[at], fiber, mjd, part.run2d[at]),
        "bestObjID": objid[first],
        "plate": part.plate[at],
        "mjd": mjd,
        "fiberID": fiber,
        "sciencePrimary": np.where(repeated, 0, 1),
        "ra": ra[first],
        "dec": dec[first],
    }
    spec |= _spectroscopy(sources.rows(first), part.programme[at], rng)
    table = _table(spec, SPECOBJ)
    return table.take(pa.array(np.argsort(spec["specObjID"]))), photo, wise


def _fibers_and_nights(part: Plates, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fibre and MJD of each spectrum, ascending within a plate; a full plate is observed again."""
    fibers, nights = [], []
    for size, count, mjd in zip(part.fibers, part.spectra, part.mjd, strict=True):
        visits = -(-count // size)
        slot = np.sort(rng.permutation(size * visits)[:count])
        fibers.append(1 + slot // visits)
        nights.append(mjd + slot % visits)
    return np.concatenate(fibers), np.concatenate(nights)


def _draw_survey(survey: str, n: int, rng: np.random.Generator) -> Sources:
    """Draw the objects of n spectra of one survey, in random order."""
    shares = SHARES[survey]
    weights = np.array(list(shares.values()))
    counts = rng.multinomial(n, weights / weights.sum())
    drawn = [
        DRAW[family](kind, int(count), rng)
        for (family, kind), count in zip(shares, counts, strict=True)
        if count
    ]
    order = rng.permutation(n)
    return Sources.joined(drawn).rows(order)


def _repeats(at: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Choose spectra that repeat an earlier object of their plate.

    Returns, for each of the n spectra, the index of the first spectrum of its object, and a mask of
    the repeats.
    """
    chosen = np.flatnonzero(rng.random(len(at)) < 2 * REPEAT_SHARE)
    earlier, later = chosen[0::2][: len(chosen) // 2], chosen[1::2]
    together = at[earlier] == at[later]
    first = np.arange(len(at))
    first[later[together]] = earlier[together]
    return first, first != np.arange(len(at))


def _objids(plate: np.ndarray, plates: int, rng: np.random.Generator) -> np.ndarray:
    """Ascending objIDs for objects on plates of the given (ascending) numbers in the survey.

    Each plate has its own stretch of imaging fields, filled as densely as real ones are: about
    three objects with a spectrum in a field.
    """
    stretch = RUNS * CAMCOLS * FIELDS // plates
    counts = np.unique(plate, return_counts=True)[1]
    used = np.minimum(stretch, -(-counts // SPECTRA_PER_FIELD))
    position = plate * stretch + (rng.random(len(plate)) * np.repeat(used, counts)).astype(int)
    position.sort()  # stretches don't overlap: each plate keeps its own
    new = np.diff(position, prepend=-1) > 0
    rank = np.arange(len(position)) - np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))
    run, rest = np.divmod(position, CAMCOLS * FIELDS)
    camcol, field = np.divmod(rest, FIELDS)
    obj = OBJ_STEP * (rank + 1) + rng.integers(0, OBJ_STEP, len(rank))
    return pack_objid(FIRST_RUN + run, 1 + camcol, FIRST_FIELD + field, obj)


def _spectroscopy(
    sources: Sources, programme: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    mag_i = -2.5 * np.log10(sources.flux[:, 3])
    redshift, error, warning, found = fit_spectra(sources.redshift, sources.spec_class, mag_i, rng)
    # a misclassified object has no subclass
    subclass = np.where(found == sources.spec_class, sources.subclass, "")
    names = {
        name: np.array([getattr(p, name) for p in PROGRAMMES])[programme]
        for name in ("run2d", "survey", "programname")
    }
    return names | {
        "class": np.array(CLASSES)[found],
        "subClass": subclass,
        "z": redshift,
        "zErr": error,
        "zWarning": warning,
        "legacy_target1": sources.legacy_target,
        "boss_target1": sources.boss_target,
    }


def _photoobj(
    objid: np.ndarray,
    ra: np.ndarray,
    dec: np.ndarray,
    sources: Sources,
    mode: np.ndarray,
    rng: np.random.Generator,
    further: np.random.Generator,
) -> tuple[pa.Table, pa.Table]:
    """Return the photometry of objects, and the WISE sources that match those of mode 1."""
    coefficients = np.array([SFD_COEFFICIENT[band] for band in BANDS])
    extinction = (reddening(ra, dec)[:, None] * coefficients).astype(np.float32)
    flux = sources.flux * 10 ** (-0.4 * extinction)
    seen = measure(flux, sources.half_light, sources.early, rng)
    galaxy = seen.psf[:, 2] - seen.model[:, 2] > STAR_GALAXY_CUT
    seen, clean = add_defects(seen, rng)
    parts = unpack_objid(objid)
    columns = {"objID": objid, "ra": ra, "dec": dec, "mode": mode, "clean": clean}
    columns |= {name: parts[name] for name in ("run", "rerun", "camcol", "field", "obj")}
    columns["type"] = np.where(galaxy, GALAXY_TYPE, STAR_TYPE)
    grids = {"": seen.model, "err_": seen.model_err, "psfMag_": seen.psf}
    grids |= {"psfMagErr_": seen.psf_err, "petroMag_": seen.petro, "petroMagErr_": seen.petro_err}
    grids["extinction_"] = extinction
    for prefix, values in grids.items():
        columns |= {f"{prefix}{band}": values[:, i] for i, band in enumerate(BANDS)}
    columns |= {"petroRad_r": seen.petro_rad_r, "petroR50_r": seen.petro_r50_r}
    columns |= shapes(sources, seen.petro_r50_r, further)
    wise = wise_table(objid, sources, mode == PRIMARY, further)
    return _table(columns, PHOTOOBJ), wise


def _table(columns: dict[str, np.ndarray], schema: pa.Schema) -> pa.Table:
    arrays = [pa.array(columns[field.name]).cast(field.type, safe=False) for field in schema]
    return pa.table(arrays, schema=schema)
