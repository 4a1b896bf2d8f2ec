import shutil
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from sdssflow.acquire.bulk import sorting
from sdssflow.acquire.bulk.columns import BULK_COLUMNS
from sdssflow.acquire.bulk.importing import import_bulk
from sdssflow.acquire.bulk.sorting import in_order
from sdssflow.acquire.errors import CatalogueError
from sdssflow.configuration.sdss_columns import DOWNLOADABLE, SELECTABLE
from sdssflow.configuration.sources import BulkSource
from sdssflow.simulate.sky import simulate_sky
from sdssflow.standin.server import SkyServer
from sdssflow.tables import metadata, read_schema
from tests.acquire import bulk_release
from tests.acquire.bulk_release import PHOTOMETRY, SPECTRA, write_release
from tests.acquire.download import walk

SELECTIONS = {
    "everything": [],
    "galaxies": [
        {"column": "spec_class", "any_of": ["galaxy"]},
        {"column": "zspec", "minimum": 0.002, "maximum": 0.4},
        {"column": "z_warning", "any_of": [0]},
        {"column": "science_primary", "any_of": [1]},
    ],
    "targets": [{"column": "legacy_target1", "any_bit": [6, 7, 8]}],
    "magnitudes": [
        {"column": "petro_mag_r", "maximum": 20.5, "dereddened": True},
        {"column": "model_mag_u", "maximum": 24},
        {"column": "survey", "any_of": ["sdss", "boss", "eboss"]},
    ],
}


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    simulate_sky(folder, objects=3000, seed=5)
    return folder


@pytest.fixture(scope="module")
def server(sky):
    with SkyServer(sky) as running:
        yield running


@pytest.fixture(scope="module")
def release(sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    write_release(sky, folder)
    return folder


@pytest.fixture
def copy(release, tmp_path):
    """A release of its own, to be spoilt."""
    return shutil.copytree(release, tmp_path / "copy")


def source(folder, selection=(), **changes):
    content = {"kind": "bulk", "folder": str(folder), "selection": list(selection), **changes}
    return BulkSource.model_validate(content)


def imported(folder, path, selection=(), block_rows=700, **changes):
    completeness, defects = import_bulk(
        source(folder, selection, **changes), path, "test", block_rows
    )
    return pq.read_table(path), completeness, defects


def downloaded(server, folder, selection, **changes):
    walk.download(server.url, folder, walk.source(selection=selection, **changes))
    return pq.read_table(folder / "catalogue.parquet")


def assert_same_rows(bulk, sky):
    """Ids, whole numbers and words exactly; SkyServer prints 7 digits of a real, 15 of a float."""
    assert bulk.column_names == sky.column_names
    assert bulk.num_rows == sky.num_rows > 0
    for name in bulk.column_names:
        mine, theirs = bulk[name].combine_chunks(), sky[name].combine_chunks()
        assert mine.type == theirs.type
        if pa.types.is_floating(mine.type):
            assert mine.is_null().equals(theirs.is_null()), name
            digits = 5e-15 if name in ("ra", "dec") else 6e-7
            np.testing.assert_allclose(
                mine.drop_null().to_numpy(), theirs.drop_null().to_numpy(), rtol=digits, atol=0
            )
        else:
            assert mine.equals(theirs), name


@pytest.mark.parametrize("name", SELECTIONS)
def test_rows_are_those_of_skyserver(name, server, release, tmp_path):
    selection = SELECTIONS[name]
    columns = list(DOWNLOADABLE)
    bulk, completeness, _ = imported(
        release, tmp_path / "b.parquet", selection, columns=columns[:40]
    )
    theirs = downloaded(server, tmp_path / "sky", selection, columns=columns[:40])
    assert_same_rows(bulk, theirs)
    written = completeness.set_index("stage")["rows"]
    assert written["written"] == bulk.num_rows
    assert (bulk.num_rows < written["with photometry"]) == bool(selection)


def test_optional_columns_are_those_of_skyserver(server, release, tmp_path):
    columns = ["psf_mag_err_g", "petro_mag_u", "petro_mag_r", "petro_mag_err_z"]
    bulk, _, _ = imported(release, tmp_path / "b.parquet", columns=columns)
    assert_same_rows(bulk, downloaded(server, tmp_path / "sky", [], columns=columns))


def test_defects_are_those_of_skyserver(server, release, tmp_path):
    _, _, defects = imported(release, tmp_path / "b.parquet")
    downloaded(server, tmp_path / "sky", [])
    defects.to_csv(tmp_path / "defects.csv", index=False)
    assert (tmp_path / "defects.csv").read_text() == (tmp_path / "sky/defects.csv").read_text()
    assert len(defects) > 3


@pytest.mark.parametrize("ids", ["integers", "signed"])
def test_ids_may_be_integers(ids, sky, release, tmp_path):
    write_release(sky, tmp_path / "other", ids=ids)
    text, _, _ = imported(release, tmp_path / "text.parquet")
    numbers, _, _ = imported(tmp_path / "other", tmp_path / "numbers.parquet")
    assert numbers.equals(text)
    assert text["specobjid"].to_numpy().max() > 1 << 63


def test_any_order_of_plates_gives_the_same_bytes(sky, release, tmp_path):
    rows = pq.read_metadata(sky / "specobj.parquet").num_rows
    write_release(sky, tmp_path / "mixed", order=np.random.default_rng(1).permutation(rows))
    imported(release, tmp_path / "a.parquet")
    imported(tmp_path / "mixed", tmp_path / "b.parquet")
    ours, theirs = (pq.read_table(tmp_path / f"{name}.parquet") for name in "ab")
    assert ours.equals(theirs)


def test_blocks_do_not_change_the_catalogue(release, tmp_path):
    digests = set()
    for rows in (1, 640, 100_000):
        imported(release, tmp_path / "c.parquet", SELECTIONS["galaxies"], block_rows=rows)
        digests.add((tmp_path / "c.parquet").read_bytes())
    assert len(digests) == 1


def test_limit_takes_the_first_rows_of_skyservers_order(server, release, tmp_path):
    selection = SELECTIONS["galaxies"]
    bulk, completeness, _ = imported(release, tmp_path / "b.parquet", selection, limit=123)
    assert bulk.num_rows == 123
    assert completeness.set_index("stage")["rows"]["written"] == 123
    assert_same_rows(bulk, downloaded(server, tmp_path / "sky", selection, limit=123))


def test_rows_are_counted_on_their_way(sky, release, tmp_path):
    _, completeness, _ = imported(release, tmp_path / "b.parquet", SELECTIONS["targets"])
    spec, photo = bulk_release.matched(sky)
    targeted = (spec["legacy_target1"].to_numpy() & (64 + 128 + 256) != 0) & (
        spec["bestObjID"].to_numpy() != 0
    )
    assert completeness["rows"].tolist() == [
        *(spec.num_rows, spec.num_rows),
        photo.num_rows - photo["objID"].null_count,
        *(targeted.sum(), targeted.sum()),
    ]
    assert completeness["digest"].str.len().tolist() == [64, 64, 0, 0, 0]


def test_provenance_names_files_selection_and_content(release, copy, tmp_path):
    imported(release, tmp_path / "a.parquet", SELECTIONS["targets"], limit=10)
    about = metadata(read_schema(tmp_path / "a.parquet"))
    assert about["archive"] == f"{SPECTRA} with {PHOTOMETRY}"
    assert "legacy_target1" in about["query"]
    assert (about["release"], about["limit"], about["simulated"]) == (17, 10, False)
    with (copy / SPECTRA).open("ab") as stream:  # the rows stay the same, the file does not
        stream.write(b"\0" * 2880)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        imported(copy, tmp_path / "b.parquet", SELECTIONS["targets"], limit=10)
    other = metadata(read_schema(tmp_path / "b.parquet"))
    assert other["data_digest"] == about["data_digest"]
    assert other["source_sha256"] != about["source_sha256"]


def rewritten(path, change):
    """Read a table of the release, change its columns, write it again."""
    with fits.open(path, memmap=False) as file:
        data = file[1].data
        columns = {name: fits.Column(name, c.format, array=data[name].copy())
                   for name, c in zip(data.names, file[1].columns, strict=True)}  # fmt: skip
    change(columns)
    bulk_release.write_table(path, list(columns.values()))


def cut(folder, file, part):
    path = folder / file
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * part)])


def swap(folder, first, second):
    def change(columns):
        for column in columns.values():
            column.array[[first, second]] = column.array[[second, first]]

    rewritten(folder / PHOTOMETRY, change)


def set_to(name, row, value):
    def change(columns):
        columns[name].array[row] = value

    return change


FAULTS = {
    "missing": (
        lambda folder: (folder / PHOTOMETRY).unlink(),
        "photoPosPlate-dr17.fits: the file can't be read (No such file or directory). Set "
        "source.folder",
    ),
    "cut": (
        lambda folder: cut(folder, SPECTRA, 0.5),
        "specObj-dr17.fits: the file is cut short: its header promises 3,000 rows, 1,4",
    ),
    "cut near the end": (
        lambda folder: cut(folder, PHOTOMETRY, 0.99),
        "photoPosPlate-dr17.fits: the file is cut short",
    ),
    "cut in the header": (
        lambda folder: (folder / SPECTRA).write_bytes((folder / SPECTRA).read_bytes()[:4000]),
        "specObj-dr17.fits: ",
    ),
    "gzipped": (
        lambda folder: (folder / SPECTRA).write_bytes(b"\x1f\x8b" + bytes(100)),
        "specObj-dr17.fits: the file is gzipped. Unpack it",
    ),
    "no FITS": (
        lambda folder: (folder / SPECTRA).write_text("<html>404</html>"),
        "specObj-dr17.fits: the file is no FITS file",
    ),
    "empty": (lambda folder: (folder / SPECTRA).write_text(""), "the file is no FITS file"),
    "no table": (
        lambda folder: fits.PrimaryHDU(np.zeros((4, 4))).writeto(folder / SPECTRA, overwrite=True),
        "specObj-dr17.fits: no extension holds a table",
    ),
    "other number of rows": (
        lambda folder: rewritten(
            folder / PHOTOMETRY,
            lambda columns: columns.update(
                {n: fits.Column(n, c.format, array=c.array[:-1]) for n, c in columns.items()}
            ),
        ),
        "photoPosPlate-dr17.fits: the file has 2,999 rows, ",
    ),
    "missing column": (
        lambda folder: rewritten(folder / PHOTOMETRY, lambda columns: columns.pop("MODELMAG")),
        "the file has no column 'MODELMAG'",
    ),
    "swapped rows": (lambda folder: swap(folder, 1500, 1502), "column 'OBJID', row 1500: in rows"),
    "another object": (
        lambda folder: rewritten(folder / SPECTRA, set_to("BESTOBJID", 0, "1237650000000000000")),
        "row 0: in rows 0 to 699, 1 of ",
    ),
    "an id that went through floating point": (
        lambda folder: rewritten(folder / SPECTRA, set_to("SPECOBJID", 7, "2.9948967744493E+17")),
        "column 'SPECOBJID', row 7: '2.9948967744493E+17' is no whole number",
    ),
    "a spectrum twice": (
        lambda folder: [
            rewritten(folder / file, set_all(2000, 2001)) for file in (SPECTRA, PHOTOMETRY)
        ],
        "column 'SPECOBJID': the spectrum ",
    ),
    "another plate than that of its id": (
        lambda folder: rewritten(folder / SPECTRA, set_to("PLATE", 9, 12)),
        "column 'PLATE', row 9: SPECOBJID ",
    ),
    "ids as floats": (
        lambda folder: rewritten(
            folder / PHOTOMETRY,
            lambda columns: columns.update(OBJID=fits.Column("OBJID", "D", array=np.zeros(3000))),
        ),
        "column 'OBJID': stored as floating point",
    ),
    "one band alone": (
        lambda folder: rewritten(
            folder / PHOTOMETRY,
            lambda columns: columns.update(
                PSFMAG=fits.Column("PSFMAG", "E", array=np.zeros(3000, np.float32))
            ),
        ),
        "column 'PSFMAG': no elements a row, expected 5",
    ),
}


def set_all(row, value_of):
    def change(columns):
        for column in columns.values():
            column.array[row] = column.array[value_of]

    return change


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_and_leaves_no_catalogue(name, copy, tmp_path):
    spoil, message = FAULTS[name]
    spoil(copy)
    with pytest.raises(CatalogueError) as error:
        imported(copy, tmp_path / "out/c.parquet")
    assert message in str(error.value)
    assert not list(tmp_path.glob("out/*"))


def test_no_row_is_an_error(release, tmp_path):
    nothing = [{"column": "plate", "any_of": [1]}]
    with pytest.raises(CatalogueError, match="no row meets all conditions .* Loosen"):
        imported(release, tmp_path / "c.parquet", nothing)


def test_a_missing_number_is_no_number(copy, tmp_path):
    rewritten(copy / SPECTRA, set_to("Z", 4, np.nan))
    everything = [{"column": "zspec", "minimum": -1, "maximum": 9}]
    with_null, _, defects = imported(copy, tmp_path / "a.parquet")
    without, _, _ = imported(copy, tmp_path / "b.parquet", everything)
    assert with_null["zspec"].null_count == 1
    assert with_null.num_rows - without.num_rows == 1
    assert ("zspec", "missing") in set(zip(defects["column"], defects["defect"], strict=True))


def test_files_can_have_other_names(copy, tmp_path):
    (copy / SPECTRA).rename(copy / "s.fits")
    table, _, _ = imported(copy, tmp_path / "c.parquet", spectra="s.fits", limit=5)
    assert table.num_rows == 5


def test_every_column_has_its_place_in_the_files():
    assert set(BULK_COLUMNS) == {*SELECTABLE, "best_objid"}
    assert {n for n, c in SELECTABLE.items() if c.table == "spec"} == {
        n for n, c in BULK_COLUMNS.items() if c.file == "spectra"
    } - {"best_objid"}


@pytest.mark.parametrize("limit", [None, 1, 70, 10_000])
@pytest.mark.parametrize("run_rows", [10, 64, 100_000])
def test_rows_come_in_order_whatever_the_runs(limit, run_rows, tmp_path, monkeypatch):
    monkeypatch.setattr(sorting, "SPILL_ROWS", 4)  # so that runs are read back in many pieces
    ids = np.random.default_rng(2).permutation(
        np.arange(5000, dtype=np.uint64)[::3] << np.uint64(51)
    )
    table = pa.table({"id": ids, "same": ids.astype(str)})
    blocks = [table.slice(start, 37) for start in range(0, len(ids), 37)]
    found = pa.concat_tables(in_order(blocks, "id", tmp_path, limit, run_rows))
    expected = np.sort(ids)
    assert found["id"].to_numpy()[:limit].tolist() == expected[:limit].tolist()
    assert found["same"].to_pylist() == [str(i) for i in found["id"].to_pylist()]
    assert not list(tmp_path.iterdir())
