"""Rows from a TAP mirror are those of SkyServer, whatever its ids and limits."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from sdssflow.acquire.download.archive import Archive
from sdssflow.acquire.download.chunks import make_plan, open_archive
from sdssflow.acquire.download.client_tap import TapLanguage
from sdssflow.acquire.download.sql import condition_adql
from sdssflow.acquire.download.store import Store
from sdssflow.acquire.schema import BANDS
from sdssflow.configuration.selection import Condition
from skyserver_standin.database import ADQL, Catalog, Database
from skyserver_standin.server import SkyServer
from skyserver_standin.sky.simulation import simulate_photometry
from skyserver_standin.tap import write_votable
from skyserver_standin.translation import translate
from tests.acquire.bulk.walk import assert_same_rows
from tests.acquire.download import walk
from tests.acquire.tap.walk import (
    LEGACY,
    MAPPING,
    PHOTOMETRY,
    archive_at,
    by_skyserver,
    fetched,
    source,
)
from tests.skyserver.clocks import OWN

SELECTIONS = {
    "all": [],
    "galaxies": [
        {"column": "spec_class", "any_of": ["galaxy"]},
        {"column": "zspec", "minimum": 0.1, "maximum": 0.55},
        {"column": "z_warning", "any_of": [0]},
    ],
    "targets": [{"column": "legacy_target1", "any_bit": [6, 7, 8], "no_bit": [26]}],
    "magnitudes": [{"column": "petro_mag_r", "maximum": 18.7, "dereddened": True}],
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_rows_are_those_of_skyserver(name, server, tmp_path):
    asked = source(server.tap_url, selection=SELECTIONS[name])
    table, completeness = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    theirs = by_skyserver(server, tmp_path / "sky", [*SELECTIONS[name], LEGACY])
    assert_same_rows(table, theirs)
    assert completeness["rows"].tolist()[-1] == table.num_rows
    assert completeness["from_plate"].tolist()[1] > 0


def test_a_limit_with_the_digits_of_skyserver_keeps_the_spectrum(sky, server, tmp_path):
    z = pq.read_table(sky / "specobj.parquet")["z"].to_numpy()
    printed = np.array([float(f"{value:.7g}") for value in z.tolist()])
    # as 64-bit numbers these are above the redshift that they were printed from
    low = float(printed[(printed > z.astype(np.float64)) & (z > 0.05) & (z < 0.6)][0])
    selection = [{"column": "zspec", "minimum": low, "maximum": low + 0.2}]
    asked = source(server.tap_url, selection=selection)
    table, _ = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    assert_same_rows(table, by_skyserver(server, tmp_path / "sky", [*selection, LEGACY]))
    assert np.float32(low) in table["zspec"].to_numpy().astype(np.float32)


def test_limit_takes_the_first_rows(server, tmp_path):
    asked = source(server.tap_url, limit=70)
    table, _ = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    assert_same_rows(table, by_skyserver(server, tmp_path / "sky", [LEGACY]).slice(0, 70))


@pytest.mark.parametrize("limit", [None, 200])
def test_another_key_is_parted_by_width(limit, server, tmp_path):
    asked = source(server.tap_url, key="objid", selection=SELECTIONS["targets"], limit=limit)
    asked = asked.model_copy(
        update={"selection": [*asked.selection, Condition(column="science_primary", any_of=[1])]}
    )
    table, completeness = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    whole = by_skyserver(
        server,
        tmp_path / "sky",
        [*SELECTIONS["targets"], {"column": "science_primary", "any_of": [1]}, LEGACY],
    )
    expected = sorted(whole["objid"].to_pylist())[:limit]
    assert table["objid"].to_pylist() == expected
    assert completeness["from_plate"].isna().all()
    parts = completeness["rows"].tolist()[:-1]
    assert sum(parts) >= len(expected)
    if limit is None:
        assert min(parts) > 0


@pytest.mark.parametrize("limit", [None, 90])
def test_objects_without_spectra_are_those_of_skyserver(limit, tmp_path):
    """A mirror of photometry alone: no column of a spectrum is mapped, none comes."""
    simulate_photometry(tmp_path / "sky", objects=800, seed=5)
    asked = source(**PHOTOMETRY, limit=limit)
    with SkyServer(tmp_path / "sky") as server:
        archive = archive_at(server.tap_url, tmp_path, asked)
        table, completeness = fetched(archive, asked, tmp_path)
        (tmp_path / "theirs").mkdir()
        theirs = walk.source(rows="photometry", columns=list(PHOTOMETRY["columns"]), selection=[])
        walk.download(server.url, tmp_path / "theirs", theirs)
    expected = pq.read_table(tmp_path / "theirs/catalogue.parquet")
    assert_same_rows(table, expected.select(table.column_names).slice(0, limit))
    assert completeness["rows"].iloc[-1] >= len(table)
    if limit is None:
        assert len(table) == completeness["rows"].iloc[-1] == 800
        assert sum(rows > 0 for rows in completeness["rows"].iloc[:-1]) == asked.chunks


def test_a_range_that_is_cut_is_split(server, board, tmp_path):
    asked = source(server.tap_url, rows_per_query=100, chunks=1)
    table, _ = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    assert_same_rows(table, by_skyserver(server, tmp_path / "sky", [LEGACY]))
    data = [r for r in board.asked if r.sql.startswith("SELECT objid,")]
    assert len(data) > table.num_rows / 100
    assert {r.parameters["maxrec"] for r in board.asked if "/tap" in r.path} == {"101"}


def test_overflow_is_never_taken_for_a_whole_answer(server, board, tmp_path):
    def cut(request, application):
        parameters = {**request.parameters, "maxrec": "150"}
        return application(request.__class__(**{**vars(request), "parameters": parameters}))

    asked = source(server.tap_url, chunks=1)
    archive = archive_at(server.tap_url, tmp_path, asked)
    board.order(cut, match="^SELECT objid,", times=1)
    table, _ = fetched(archive, asked, tmp_path)
    assert table.num_rows > 300
    assert len({r.sql for r in board.asked if r.sql.startswith("SELECT objid,")}) == 3


def test_signed_ids_beyond_2_63_are_the_ids_of_skyserver(sky, server, tmp_path):
    asked = source(table="sdss_dr17.wrapped", chunks=4)
    store = Store(tmp_path / "store")
    archive = Archive(asked, wrapped_mirror(sky), walk.NETWORK, store, TapLanguage(asked), OWN)
    table, completeness = fetched(archive, asked, tmp_path)
    assert_same_rows(table, by_skyserver(server, tmp_path / "sky", []))
    ids = table["specobjid"].to_numpy()
    assert (ids >= 1 << 63).any()
    assert (ids < 1 << 63).any()
    crossing = completeness["from_plate"][:-1] * (1 << 50) < 1 << 63
    assert (crossing & (completeness["to_plate"][:-1] >= 8192)).any()


@pytest.mark.parametrize("limit", [None, 2000])
def test_signed_ids_without_plates_are_parted_by_width(limit, sky, server, tmp_path):
    columns = {k: v for k, v in MAPPING.items() if k != "plate"}
    asked = source(table="sdss_dr17.wrapped", columns=columns, limit=limit)
    store = Store(tmp_path / "store")
    archive = Archive(asked, wrapped_mirror(sky), walk.NETWORK, store, TapLanguage(asked), OWN)
    table, _ = fetched(archive, asked, tmp_path)
    whole = by_skyserver(server, tmp_path / "sky", []).slice(0, limit)
    assert table["specobjid"].equals(whole["specobjid"])
    assert len(whole) == limit or limit is None


def wrapped_mirror(sky):
    """A mirror as Data Lab is one: ids of 64 bits in signed columns, spectra of all plates."""
    database = Database(sky)
    names = {
        "sciencePrimary": "scienceprimary", "class": "class", "subClass": "subclass",
        "z": "zsp", "zErr": "zsp_err", "zWarning": "zwarning", "fiberID": "fiberid",
        **{n: n for n in ("plate", "mjd", "legacy_target1", "boss_target1")},
    }  # fmt: skip
    columns = [f's."{theirs}" AS {ours}' for theirs, ours in names.items()]
    columns += [f'p."{n}" AS {n.lower()}' for n in ("objID", "run", "type", "clean", "petroRad_r")]
    columns += [
        f'p."{stem}{band}" AS {stem.lower()}{band}'
        for stem in ("", "psfMag_", "petroMag_", "extinction_")
        for band in BANDS
    ]
    signed = (
        f"CAST(CASE WHEN s.specObjID >= {1 << 63} THEN CAST(s.specObjID AS HUGEINT) - {1 << 64} "
        "ELSE s.specObjID END AS BIGINT) AS specobjid"
    )
    table = database.add_view(
        ADQL.schema,
        "wrapped",
        f"SELECT {signed}, {', '.join(columns)} FROM dbo.SpecObjAll s "
        "JOIN dbo.PhotoObjAll p ON p.objID = s.bestObjID",
    )
    catalog = Catalog([table], ADQL)

    def ask(adql):
        found = translate(adql, catalog)
        cursor = database.cursor()
        rows = database.run(found.sql, cursor)
        cursor.close()
        return write_votable(rows.rename_columns(found.names), "OK", tabledata=True)

    return ask


def test_verified_answers_are_not_asked_again(server, board, tmp_path):
    asked = source(server.tap_url)
    first, _ = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    board.asked.clear()
    for made in [*tmp_path.glob("*.parquet"), tmp_path / "plan.json"]:
        made.unlink()
    again, _ = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    assert again.equals(first)
    assert board.asked == []


def test_open_archive_knows_the_kind(server, tmp_path):
    asked = source(server.tap_url)
    network = walk.NETWORK.model_copy(update={"store": str(tmp_path)})
    with open_archive(asked, network) as (archive, name):
        assert make_plan(archive, asked, name).rows > 1000
    assert name == f"{server.tap_url.removeprefix('http://')}"


@pytest.mark.parametrize("bit", [0, 6, 40, 62])
def test_bits_by_remainders_are_the_bits_of_twos_complement(bit, sky):
    values = [0, 1, -1, 64, 127, 128, -64, -65, (1 << 40) + 3, 1 << 62, -(1 << 62), -(1 << 62) - 1]
    database = Database(sky)
    rows = ", ".join(f"({value})" for value in values)
    table = database.add_view(
        ADQL.schema, "bits", f"SELECT CAST(a AS BIGINT) AS a FROM (VALUES {rows}) t(a)"
    )
    condition = Condition(column="boss_target1", any_bit=[bit])
    adql = f"SELECT a FROM sdss_dr17.bits WHERE {condition_adql(condition, {'boss_target1': 'a'})}"
    cursor = database.cursor()
    found = database.run(translate(adql, Catalog([table], ADQL)).sql, cursor)
    assert sorted(found.column(0).to_pylist()) == sorted(v for v in values if v >> bit & 1)
    cursor.close()
    database.close()
