"""The estimates as a HATS catalogue, HATS catalogues as a source, and bundles inside LSDB."""

import pickle
import re
from pathlib import Path

import lsdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hats.io.validation import is_valid_catalog
from hats.pixel_tree import moc_filter, pixel_alignment
from pydantic import ValidationError

from sdssflow import bundle
from sdssflow.configuration.targets import Target
from sdssflow.estimate import hats
from sdssflow.estimate.hats import About, write_hats
from sdssflow.estimate.partitions import data_files, partitions
from sdssflow.estimate.streaming import estimate_partition
from sdssflow.tables import write_parquet
from tests.docs.markdown import ROOT, blocks
from tests.estimate.conftest import sky, without_truth

ABOUT = About("made", "Objects that were made")
ROWS = 150


@pytest.fixture(scope="module", autouse=True)
def interpreted():
    """Leave what hats compiles, for 10 s, to Python: the trees here are small."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (moc_filter, pixel_alignment):
            for name, value in vars(module).items():
                if hasattr(value, "py_func"):
                    patched.setattr(module, name, value.py_func)
        yield


def target_of(path, given, **settings):
    columns = {name: name for name in given.column_names}
    source = {"kind": "file", "path": str(path), "columns": columns}
    models = [{"bundle": "any"}]
    return Target.model_validate({"title": "made", "source": source, "models": models, **settings})


def estimated(path, given, bundles, folder, **settings):
    """Estimate the objects of a file or folder; return the tables of its partitions."""
    target = target_of(path, given, **settings)
    made = []
    for name, partition in partitions("made", target).items():
        estimate_partition(target, "made", partition, bundles, folder / f"{name}.parquet")
        made.append(folder / f"{name}.parquet")
    return made


@pytest.fixture(scope="module")
def unknown():
    return without_truth(sky(1200, seed=7))


@pytest.fixture(scope="module")
def estimates(tmp_path_factory, unknown, models):
    place = tmp_path_factory.mktemp("flat")
    write_parquet(unknown, place / "unknown.parquet")
    return estimated(place / "unknown.parquet", unknown, models, place / "made", partitions=3)


@pytest.fixture(scope="module")
def written(tmp_path_factory, estimates):
    folder = tmp_path_factory.mktemp("written") / "hats"
    assert write_hats(estimates, folder, ABOUT, ROWS) == 1200
    return folder


@pytest.fixture(scope="module")
def catalogue(written):
    return lsdb.open_catalog(written)


def by_objid(tables):
    table = pa.concat_tables(map(pq.read_table, tables)).sort_by("objid")
    return table.replace_schema_metadata(None)


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_alike(found, wanted):
    """Compare estimates of equal rows in other blocks: there float32 products round otherwise."""
    assert found.column_names == wanted.column_names
    for name in wanted.column_names:
        kind = wanted[name].type
        if pa.types.is_float32(kind):
            one, other = (table[name].to_numpy().astype(float) for table in (found, wanted))
            np.testing.assert_allclose(one, other, 0, 2e-6, err_msg=name)
        else:
            assert found[name].cast(kind).equals(wanted[name]), name


def separation(table, ra, dec):
    """Return the distances of objects from a point, in degrees."""
    lon, lat = (np.radians(table[name].to_numpy()) for name in ("ra", "dec"))
    ra, dec = np.radians(ra), np.radians(dec)
    half = np.sin((lat - dec) / 2) ** 2 + np.cos(lat) * np.cos(dec) * np.sin((lon - ra) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(half)))


def test_lsdb_reads_what_was_estimated(catalogue, estimates, written):
    assert is_valid_catalog(written, strict=True)
    assert len(catalogue) == 1200
    flat = by_objid(estimates)
    found = pa.Table.from_pandas(catalogue.compute(), preserve_index=False).sort_by("objid")
    assert found.column_names == ["partition", *flat.column_names]
    for name in flat.column_names:
        assert found[name].cast(flat[name].type).equals(flat[name]), name
    rows = {
        (path.stem, row) for path in estimates for row in pq.read_table(path)["row_id"].to_pylist()
    }
    assert (
        set(zip(found["partition"].to_pylist(), found["row_id"].to_pylist(), strict=True)) == rows
    )


def test_files_are_small_and_sorted(catalogue, written):
    files = [Path(path) for path in data_files(str(written))]
    assert len(files) == len(catalogue.get_healpix_pixels()) > 12  # finer where it is denser
    for file in files:
        index = pq.read_table(file, partitioning=None)["_healpix_29"].to_numpy()
        order, pixel = map(int, re.search(r"Norder=(\d+).*Npix=(\d+)", str(file)).groups())
        assert 0 < len(index) <= ROWS
        assert (np.diff(index) >= 0).all()
        assert (index >> 2 * (29 - order) == pixel).all()
    info = catalogue.hc_structure.catalog_info
    assert (info.catalog_name, info.obs_title) == ABOUT
    assert info.hats_max_rows == max(pq.read_metadata(file).num_rows for file in files)


def test_the_bytes_depend_on_the_estimates_alone(tmp_path, monkeypatch, written, estimates):
    monkeypatch.setattr(hats, "BLOCK_ROWS", 70)
    monkeypatch.setattr(hats, "ROUTED_ROWS", 200)
    write_hats(estimates, tmp_path / "hats", ABOUT, ROWS)
    assert files_of(tmp_path / "hats") == files_of(written)
    assert [path.name for path in tmp_path.iterdir()] == ["hats"]


@pytest.mark.parametrize(("ra", "dec", "radius"), [(150, 40, 12.5), (0, 55, 15), (300, -8, 4)])
def test_a_cone_holds_exactly_what_lies_in_it(catalogue, estimates, ra, dec, radius):
    flat = by_objid(estimates)
    inside = flat.filter(pa.array(separation(flat, ra, dec) <= radius))
    assert 1 < len(inside) < 1000
    found = catalogue.cone_search(ra=ra, dec=dec, radius_arcsec=radius * 3600).compute()
    assert sorted(found["objid"]) == inside["objid"].to_pylist()


def test_objects_are_found_again_in_another_catalogue(catalogue, estimates):
    some = by_objid(estimates).select(["objid", "ra", "dec"]).slice(0, 60).to_pandas()
    some["dec"] += 1 / 3600
    other = lsdb.from_dataframe(some, catalog_name="other", margin_threshold=5)
    found = catalogue.crossmatch(
        other, radius_arcsec=2, suffix_method="all_columns", suffixes=("_ours", "_other")
    ).compute()
    assert len(found) == 60
    assert (found["objid_ours"] == found["objid_other"]).all()
    np.testing.assert_allclose(found["_dist_arcsec"].to_numpy(float), 1, atol=1e-3)


def damaged(estimates, folder, **columns):
    """Write the first of some tables with other columns, None for no such column."""
    table = pq.read_table(estimates[0])
    for name, values in columns.items():
        if values is None:
            table = table.drop_columns([name])
        else:
            table = table.set_column(table.column_names.index(name), name, values(table[name]))
    write_parquet(table, folder / "damaged.parquet")
    return [folder / "damaged.parquet", *estimates[1:]]


def first_null(column):
    return pa.array([None, None, *column.to_pylist()[2:]], column.type)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"dec": first_null}, "target made: 2 of 1200 rows have no position .* or set hats: false"),
        (
            {"ra": lambda column: pa.nulls(len(column), column.type)},
            "target made: 400 of 1200 rows have no position",
        ),
        ({"dec": None}, "target made: the estimates have no ra and dec.* or set hats: false"),
        ({"zphot": None}, "has other columns than"),
    ],
)
def test_what_has_no_place_on_the_sky_is_refused(tmp_path, estimates, columns, words):
    (tmp_path / "hats").mkdir()
    (tmp_path / "hats" / "earlier").touch()
    given = damaged(estimates, tmp_path, **columns)
    with pytest.raises(ValueError, match=words):
        write_hats(given, tmp_path / "hats", ABOUT, ROWS)
    there = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert there == ["damaged.parquet", "hats", "hats/earlier"]


def test_a_cell_with_too_many_rows_and_no_rows_are_refused(tmp_path, estimates):
    alike = damaged(
        estimates,
        tmp_path,
        ra=lambda column: pa.array(np.zeros(len(column))),
        dec=lambda column: pa.array(np.zeros(len(column))),
    )
    with pytest.raises(
        ValueError, match="400 rows are in one cell .* placeholders for missing values"
    ):
        write_hats(alike, tmp_path / "hats", ABOUT, ROWS)
    write_parquet(pq.read_table(estimates[0]).slice(0, 0), tmp_path / "empty.parquet")
    with pytest.raises(ValueError, match="target made: no rows for a HATS catalogue"):
        write_hats([tmp_path / "empty.parquet"], tmp_path / "hats", ABOUT)


def test_partitions_without_rows_are_passed_over(tmp_path, estimates):
    write_parquet(pa.table({"row_id": pa.array([], pa.int64())}), tmp_path / "0.parquet")
    given = [tmp_path / "0.parquet", *estimates]
    assert write_hats(given, tmp_path / "hats", ABOUT) == 1200


def test_a_target_without_positions_can_not_ask_for_hats(unknown):
    with pytest.raises(ValidationError, match="map dec in source.columns, or set hats: false"):
        target_of("unknown.parquet", unknown.drop_columns(["dec"]), hats=True)
    target = target_of("unknown.parquet", unknown, hats=True)
    assert Target.from_canonical(target.canonical()) == target


@pytest.fixture(scope="module")
def patch(unknown):
    """The objects of a part of the sky."""
    return unknown.filter((pc.field("ra") > 120) & (pc.field("ra") < 240) & (pc.field("dec") > 20))


@pytest.fixture(scope="module")
def survey(patch):
    return lsdb.from_dataframe(
        patch.to_pandas(), catalog_name="survey", partition_rows=200, margin_threshold=7200
    )


@pytest.mark.parametrize(("suffix", "collection"), [(".parquet", True), ("/", False)])
def test_a_catalogue_of_lsdb_gives_the_numbers_of_the_flat_file(
    tmp_path, patch, survey, models, estimates, suffix, collection
):
    folder = tmp_path / "survey"
    survey.write_catalog(folder, as_collection=collection, npix_suffix=suffix, progress_bar=False)
    files = data_files(str(folder))
    assert len(files) == len(survey.get_healpix_pixels()) > 1
    of_margin = {str(path) for path in folder.rglob("Npix=*.parquet")} - {*files}
    assert bool(of_margin) == collection
    found = by_objid(estimated(folder, patch, models, tmp_path / "made"))
    wanted = by_objid(estimates).filter(pc.field("objid").isin(patch["objid"]))
    assert_alike(found.drop_columns(["row_id"]), wanted.drop_columns(["row_id"]))


@pytest.mark.parametrize("line", ["", "hats_primary_table_url=https://example.org/survey\n"])
def test_a_collection_without_its_catalogue_is_refused(tmp_path, line):
    (tmp_path / "collection.properties").write_text(f"#HATS Collection\n{line}")
    (tmp_path / "survey_10arcs").mkdir()
    (tmp_path / "survey_10arcs" / "Npix=0.parquet").touch()
    with pytest.raises(FileNotFoundError, match="set source.path to the folder of the catalogue"):
        data_files(str(tmp_path))


def test_a_bundle_is_loaded_again_where_it_is_sent(
    tmp_path, monkeypatch, unknown, redshifts, models
):
    monkeypatch.chdir(redshifts.parent)
    wanted = models[1].estimate(unknown, extinction_applied=False)
    for path in (redshifts.name, f"{redshifts.name}.zip"):
        sent = pickle.dumps(bundle.load(path))
        assert len(sent) < 1000
        monkeypatch.chdir(tmp_path)
        assert pickle.loads(sent).estimate(unknown, extinction_applied=False).equals(wanted)
        monkeypatch.chdir(redshifts.parent)


def test_the_page_on_lsdb_estimates_as_the_bundle_does(
    tmp_path, monkeypatch, patch, redshifts, models
):
    names = [n.replace("model_mag_", "").replace("extinction_", "A_") for n in patch.column_names]
    given = patch.rename_columns(names)
    gone = [None if row % 7 == 0 else value for row, value in enumerate(given["u"].to_pylist())]
    given = given.set_column(names.index("u"), "u", pa.array(gone, pa.float32()))
    (tmp_path / "results/bundles").mkdir(parents=True)
    (tmp_path / "results/bundles/redshifts").symlink_to(redshifts)
    monkeypatch.chdir(tmp_path)
    lsdb.from_dataframe(
        given.to_pandas(), catalog_name="survey", partition_rows=200, margin_threshold=None
    ).write_catalog("data/survey", progress_bar=False)
    space = {}
    code = "".join(block.text for block in blocks(ROOT / "docs/lsdb.md", "python"))
    exec(code.replace("n_workers=2", "n_workers=1"), space)  # each imports torch, for seconds
    made = pa.Table.from_pandas(
        lsdb.open_catalog("results/survey_estimates").compute(), preserve_index=False
    ).sort_by("objid")
    given = given.rename_columns(patch.column_names)
    mapped = [n for n in given.column_names if not re.fullmatch("extinction_[^r]", n)]
    wanted = models[1].estimate(given.select(mapped), extinction_applied=False)
    assert wanted["zphot"].null_count > 20
    assert_alike(made, wanted)
    assert 0 < len(space["north"].compute()) < len(patch)
