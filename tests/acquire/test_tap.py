import io
import json
import re
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import parse_single_table
from pydantic import ValidationError

from sdssflow.acquire.download.adql import condition_adql
from sdssflow.acquire.download.archive import Archive
from sdssflow.acquire.download.assembly import assemble
from sdssflow.acquire.download.chunks import download_chunk
from sdssflow.acquire.download.errors import (
    DownloadError,
    SilenceError,
    TooMuchError,
    TransientError,
)
from sdssflow.acquire.download.languages import TapLanguage
from sdssflow.acquire.download.opening import open_archive
from sdssflow.acquire.download.plan import Plan
from sdssflow.acquire.download.planning import make_plan
from sdssflow.acquire.download.ranges import plates
from sdssflow.acquire.download.store import Store
from sdssflow.acquire.download.tap import TapServer
from sdssflow.acquire.schema import BANDS
from sdssflow.configuration.selection import Condition
from sdssflow.configuration.sources import TapSource
from sdssflow.simulate.sky import simulate_sky
from sdssflow.standin.answers import Answer
from sdssflow.standin.database import Database
from sdssflow.standin.dialects import ADQL
from sdssflow.standin.server import SkyServer
from sdssflow.standin.tap import VOTABLE
from sdssflow.standin.translation import translate
from sdssflow.standin.values import Catalog
from sdssflow.standin.votable import error_votable, write_votable
from tests.acquire.download import walk
from tests.acquire.test_bulk_files import assert_same_rows

MAPPING = {
    "objid": "objid",
    **{f"model_mag_{band}": band for band in BANDS},
    **{f"psf_mag_{band}": f"psfmag_{band}" for band in BANDS},
    **{f"petro_mag_{band}": f"petromag_{band}" for band in BANDS},
    **{f"extinction_{band}": f"extinction_{band}" for band in BANDS},
    "petro_rad_r": "petrorad_r",
    "photo_type": "type",
    "clean": "clean",
    "run": "run",
    "specobjid": "specobjid",
    "plate": "plate",
    "mjd": "mjd",
    "fiberid": "fiberid",
    "spec_class": "class",
    "spec_subclass": "subclass",
    "zspec": "zsp",
    "zspec_err": "zsp_err",
    "z_warning": "zwarning",
    "science_primary": "scienceprimary",
    "legacy_target1": "legacy_target1",
    "boss_target1": "boss_target1",
}
# the stand-in's table ends where ids become larger than a signed number
LEGACY = {"column": "plate", "maximum": 8191}
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


class Board:
    """Middleware that answers chosen queries in another way, some times."""

    def __init__(self):
        self.orders = []
        self.asked = []

    def order(self, answer, match="", times=1):
        self.orders.append([answer, match, times])

    def __call__(self, request, application):
        self.asked.append(request)
        for order in self.orders:
            answer, match, times = order
            if times > 0 and re.search(match, request.sql):
                order[2] -= 1
                return answer(request, application)
        return application(request)


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    simulate_sky(folder, objects=2500, seed=8)
    return folder


@pytest.fixture(scope="module")
def running(sky):
    board = Board()
    with SkyServer(sky, middleware=board) as server:
        yield server, board


@pytest.fixture
def server(running):
    running[1].orders.clear()
    running[1].asked.clear()
    return running[0]


@pytest.fixture
def board(running, server):
    return running[1]


def source(url="http://127.0.0.1:1/tap", **changes):
    content = {
        "kind": "tap",
        "url": url,
        "table": "sdss_dr17.specobj",
        "columns": MAPPING,
        "chunks": 3,
        **changes,
    }
    return TapSource.model_validate_json(json.dumps(content))


def archive_at(url, folder, asked, network=walk.NETWORK):
    language = TapLanguage(asked)
    ask = TapServer(url, language.most_rows, network).ask
    return Archive(asked, ask, network, Store(folder / "store"), language)


def fetched(archive, asked, folder):
    """Walk from the plan to the catalogue."""
    plan = make_plan(archive, asked, "mirror")
    plan.write(folder / "plan.json")
    plan = Plan.read(folder / "plan.json")
    paths = [folder / f"{chunk:04d}.parquet" for chunk in range(asked.chunks)]
    for chunk, path in enumerate(paths):
        download_chunk(archive, plan, chunk, path)
    completeness, _ = assemble(
        plan, list(map(str, paths)), folder / "catalogue.parquet", "t", False
    )
    return pq.read_table(folder / "catalogue.parquet"), completeness


def by_skyserver(server, folder, selection, **changes):
    columns = [name for name in MAPPING if not name.endswith("target1")]
    asked = walk.source(selection=selection, columns=columns, **changes)
    walk.download(server.url, folder, asked)
    return pq.read_table(folder / "catalogue.parquet")


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


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"specobjid": (8000 << 50) + (7 << 38)}, "row 1 .*this key stands there twice"),
        ({"specobjid": 9000 << 50}, "outside the range asked for"),
        ({"plate": 8001}, "its plate is not that of its specobjid"),
        ({"fiberid": 9}, "its fiberid is not that of its specobjid"),
        ({"specobjid": None}, "row 1 .*it has no key"),
    ],
)
def test_rows_that_contradict_their_key_are_refused(row, message):
    types = {"specobjid": pa.uint64(), "plate": pa.int32(), "fiberid": pa.int32()}
    right = [
        {"specobjid": (8000 << 50) + (fiber << 38), "plate": 8000, "fiberid": fiber}
        for fiber in (7, 8)
    ]
    if row.get("specobjid") == right[0]["specobjid"]:
        row = {**row, "fiberid": 7}
    columns = {name: name for name in types}
    language = TapLanguage(source(columns=columns))
    language.check_keys(pa.Table.from_pylist(right, pa.schema(types)), plates(8000, 8001))
    wrong = pa.Table.from_pylist([right[0], {**right[1], **row}], pa.schema(types))
    with pytest.raises(TransientError, match=message):
        language.check_keys(wrong, plates(8000, 8001))


def test_limit_takes_the_first_rows(server, tmp_path):
    asked = source(server.tap_url, limit=70)
    table, _ = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    assert_same_rows(table, by_skyserver(server, tmp_path / "sky", [LEGACY], limit=70))


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
    assert len([r for r in board.asked if r.sql.startswith("SELECT objid,")]) == 3


def test_signed_ids_beyond_2_63_are_the_ids_of_skyserver(sky, server, tmp_path):
    asked = source(table="sdss_dr17.wrapped", chunks=4)
    archive = Archive(
        asked, wrapped_mirror(sky), walk.NETWORK, Store(tmp_path / "store"), TapLanguage(asked)
    )
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
    archive = Archive(
        asked, wrapped_mirror(sky), walk.NETWORK, Store(tmp_path / "store"), TapLanguage(asked)
    )
    table, _ = fetched(archive, asked, tmp_path)
    whole = by_skyserver(server, tmp_path / "sky", [], limit=limit)
    assert table["specobjid"].equals(whole["specobjid"])
    assert len(whole) == limit or limit is None


def wrapped_mirror(sky):
    """A mirror as Data Lab is one: ids of 64 bits in signed columns, spectra of all plates."""
    database = Database(sky, memory="300MB", threads=1)
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


def says(message, status=400):
    return lambda request, application: Answer(status, VOTABLE, error_votable(message))


def bytes_of(change):
    def answer(request, application):
        right = application(request)
        return Answer(right.status, right.content_type, change(right.content()))

    return answer


def silent(request, application):
    time.sleep(2)
    return Answer(503, "text/html", b"nobody is there any more")


HEALED = {
    "cut in the middle": bytes_of(lambda body: body[: len(body) // 2]),
    "without its end": bytes_of(lambda body: body.rstrip()[:-4]),
    "empty": bytes_of(lambda body: b""),
    "a page": lambda request, application: Answer(200, "text/html", b"<html>Sorry</html>"),
    "unavailable": lambda request, application: Answer(503, "text/html", b"<html>down</html>"),
    "an error inside": lambda request, application: Answer(500, "text/plain", b"java.lang.Oops"),
    "busy": says("Too many queries at once"),
    "silent once": silent,
}


@pytest.mark.parametrize("name", HEALED)
def test_a_broken_answer_is_asked_again(name, server, board, tmp_path):
    asked = source(server.tap_url, chunks=1)
    archive = archive_at(server.tap_url, tmp_path, asked)
    board.order(HEALED[name], match="^SELECT objid,")
    table, _ = fetched(archive, asked, tmp_path)
    assert len([r for r in board.asked if r.sql.startswith("SELECT objid,")]) == 2
    assert_same_rows(table, by_skyserver(server, tmp_path / "sky", [LEGACY]))


def lost_row(request, application):
    """Answer without the first row: a whole VOTable, of too few rows."""
    table = parse_single_table(io.BytesIO(application(request).content())).to_table()
    rows = pa.table({name: np.asarray(table[name])[1:].tolist() for name in table.colnames})
    return Answer(200, VOTABLE, write_votable(rows, "OK"))


def test_a_lost_row_is_noticed(server, board, tmp_path):
    asked = source(server.tap_url, chunks=1)
    archive = archive_at(server.tap_url, tmp_path, asked)
    board.order(lost_row, match="^SELECT objid,", times=99)
    with pytest.raises(TransientError, match="rows, the server counts .*: rows are missing"):
        fetched(archive, asked, tmp_path)


def test_a_service_that_stays_silent_is_given_up(server, board, tmp_path):
    network = walk.NETWORK.model_copy(update={"timeout_s": 0.2, "give_up_s": 1.0})
    asked = source(server.tap_url, chunks=1)
    archive = archive_at(server.tap_url, tmp_path, asked, network)
    board.order(silent, times=99)
    started = time.monotonic()
    with pytest.raises(DownloadError, match="can't be downloaded|not complete after"):
        make_plan(archive, asked, "mirror")
    assert time.monotonic() - started < 6
    with pytest.raises(SilenceError, match="was silent for 0.2 s"):
        TapServer(server.tap_url, 10, network).ask("SELECT plate FROM sdss_dr17.specobj")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {**MAPPING, "clean": "klean"}}, "refuses the query: .*klean.*source.columns"),
        ({"table": "sdss_dr17.photoplate"}, "refuses the query: .*photoplate.*source.table"),
    ],
)
def test_a_wrong_name_is_told_at_once(changes, message, server, board, tmp_path):
    asked = source(server.tap_url, chunks=1, **changes)
    archive = archive_at(server.tap_url, tmp_path, asked)
    with pytest.raises(DownloadError, match=message) as error:
        fetched(archive, asked, tmp_path)
    assert not isinstance(error.value, TransientError)
    assert len({r.sql for r in board.asked}) == len(board.asked)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_error_votable_is_read_whatever_its_status(status, server, board):
    board.order(says("Column zsp_ does not exist", status))
    with pytest.raises(DownloadError, match="Column zsp_ does not exist") as error:
        TapServer(server.tap_url, 10, walk.NETWORK).ask("SELECT zsp_ FROM sdss_dr17.specobj")
    assert not isinstance(error.value, TransientError)


def test_a_time_out_of_the_service_asks_for_less(server, board):
    board.order(says("Query timed out: statement timeout", 400))
    with pytest.raises(TooMuchError):
        TapServer(server.tap_url, 10, walk.NETWORK).ask("SELECT plate FROM sdss_dr17.specobj")


def test_no_service_there(server):
    with pytest.raises(DownloadError, match="404, there is no TAP service. Correct source.url"):
        TapServer(f"{server.url}/tap/nothing", 10, walk.NETWORK).ask("SELECT 1")


def test_verified_answers_are_not_asked_again(server, board, tmp_path):
    asked = source(server.tap_url)
    first, _ = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    board.asked.clear()
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
    database = Database(sky, memory="100MB", threads=1)
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {"specobjid": "id; DROP"}}, "should match pattern"),
        ({"columns": {"specobjid": "id", "redshift": "z"}}, "'redshift' is no column of SDSS"),
        ({"columns": {"zspec": "z"}}, "maps no column of whole numbers to 'specobjid'"),
        ({"key": "zspec"}, "maps no column of whole numbers to 'zspec'"),
        ({"selection": [{"column": "survey", "any_of": ["sdss"]}]}, "does not map 'survey'"),
        ({"table": "a b"}, "should match pattern"),
        ({"url": "ftp://x"}, "should match pattern"),
    ],
)
def test_a_mapping_that_can_not_be_asked_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        source(**changes)
