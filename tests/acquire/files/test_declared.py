"""Columns that the catalogue does not know, from files, embedded tables and TAP."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.conform import read_catalogue
from sdssflow.acquire.schema import column_of, declaration
from sdssflow.configuration.declared import SHIPPED, Declared
from sdssflow.configuration.sources import EmbeddedSource, FileSource
from tests.acquire.files.good_table import FEW, ROWS, good_frame
from tests.acquire.tap.walk import MAPPING
from tests.acquire.tap.walk import source as tap_source

PARALLAX = {
    "unit": "mas", "minimum": -10.0, "maximum": 1000.0, "missing": "not_observed",
    "meaning": "parallax",
}  # fmt: skip


def catalogue_of(folder, declared, columns, frame=None, **settings):
    frame = good_frame() if frame is None else frame
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / "t.parquet")
    source = FileSource.model_validate(
        {"kind": "file", "path": str(folder / "t.parquet"), "columns": {**FEW, **columns},
         "declared": declared, **settings}
    )  # fmt: skip
    return read_catalogue(source.path, source, "mine")


def test_a_declared_column_has_its_type_unit_range_and_meaning(tmp_path):
    frame = good_frame().assign(PLX=[0.5, None, 5000.0, -9999.0, 99.0, *range(ROWS - 5)])
    found, defects = catalogue_of(tmp_path, {"parallax": PARALLAX}, {"parallax": "PLX"}, frame)
    # 99 is a parallax like any other, where the range says so
    assert found["parallax"].to_pylist()[:6] == [0.5, None, None, None, 99.0, 0.0]
    assert [tuple(row[:3]) for row in defects.values if row[0] == "parallax"] == [
        ("parallax", "not observed", 1),
        ("parallax", "sentinel -9999", 1),
        ("parallax", "out of range", 1),
    ]
    field = found.schema.field("parallax")
    assert field.type == pa.float64()
    assert declaration(field) == {**PARALLAX, "limit_without": None}
    assert Declared(**declaration(field)) == Declared(**PARALLAX)


def test_units_are_held_against_the_declaration(tmp_path):
    frame = good_frame().assign(PLX=0.5)
    plain = pa.Table.from_pandas(frame, preserve_index=False)
    schema = pa.schema(
        [f.with_metadata({"unit": "arcsec"}) if f.name == "PLX" else f for f in plain.schema]
    )
    pq.write_table(plain.cast(schema), tmp_path / "t.parquet")
    settings = {
        "kind": "file",
        "path": str(tmp_path / "t.parquet"),
        "columns": {**FEW, "parallax": "PLX"},
        "declared": {"parallax": PARALLAX},
    }
    source = FileSource.model_validate(settings)
    with pytest.raises(
        CatalogueError, match="gives it in 'arcsec', the catalogue's parallax is in"
    ):
        read_catalogue(source.path, source, "mine")
    source = FileSource.model_validate(settings | {"units": {"parallax": "arcsec"}})
    assert read_catalogue(source.path, source, "mine")[0]["parallax"][0].as_py() == 500.0


def test_columns_of_wise_and_galex_need_no_declaration(tmp_path):
    ids = [8473841000000000 + 1001 * k for k in range(ROWS)]
    frame = good_frame().assign(W1=14.0, FUV=21.5, id=ids)
    columns = {"wise_mag_w1": "W1", "galex_mag_fuv": "FUV", "wise_id": "id"}
    found, _ = catalogue_of(tmp_path, {}, columns, frame)
    assert found["wise_id"].to_pylist() == ids
    assert column_of(found.schema.field("galex_mag_fuv")).missing == "not_observed"
    assert {"wise_mag_w4", "galex_mag_nuv", "petro_r90_r", "frac_dev_r"} < set(SHIPPED)


@pytest.mark.parametrize(
    ("name", "theirs", "message"),
    [
        (
            "z_spec",
            "PLX",
            "declared: 'z_spec' is refused, 'z_spec' can't be a feature: the redshift",
        ),
        ("quality", "zWarning", "'quality' is refused, 'zWarning' can't be a feature: set by the"),
        ("quality", "PLATEID", "'PLATEID' can't be a feature: targets of a class share plates"),
        ("kind", "subClass", "'subClass' can't be a feature: the class is the quantity to learn"),
        ("petro_rad_r", "PLX", "'petro_rad_r' is already a column of the catalogue"),
        ("wise_mag_w1", "PLX", "'wise_mag_w1' needs no declaration"),
        ("parallax", None, "columns does not map 'parallax'"),
    ],
)
def test_what_can_not_be_declared(name, theirs, message, tmp_path):
    columns = {name: theirs} if theirs else {}
    with pytest.raises(ValidationError, match=message):
        catalogue_of(tmp_path, {name: PARALLAX}, columns)
    if theirs == "zWarning":  # whoever is sure says so
        confirmed = {"confirmed": [name]}
        frame = good_frame().assign(zWarning=1.0)
        catalogue_of(tmp_path, {name: PARALLAX}, columns, frame, **confirmed)


def test_a_column_that_is_not_declared_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(CatalogueError, match=r"'paralax', which is not .*source\.declared"):
        catalogue_of(tmp_path, {}, {"paralax": "PLX"})


def test_an_embedded_table_has_only_what_it_has(tmp_path):
    source = EmbeddedSource.model_validate(
        {"kind": "embedded", "table": "mclass", "declared": {"parallax": PARALLAX}}
    )
    with pytest.raises(CatalogueError, match="parallax"):
        read_catalogue("data/embedded/mclass.parquet", source, "mclass")
    table = pq.read_table("data/embedded/mclass.parquet")
    more = table.append_column("parallax", pa.array([0.5] * len(table)))
    pq.write_table(more.replace_schema_metadata(table.schema.metadata), tmp_path / "m.parquet")
    found, _ = read_catalogue(tmp_path / "m.parquet", source, "mclass")
    assert found["parallax"].to_pylist()[:2] == [0.5, 0.5]


def test_a_mirror_may_map_them():
    columns = {**MAPPING, "galex_mag_nuv": "nuv", "parallax": "plx"}
    asked = tap_source(columns=columns, declared={"parallax": PARALLAX})
    from sdssflow.acquire.download.client_tap import TapLanguage

    assert TapLanguage(asked).names[-2:] == ["galex_mag_nuv", "parallax"]
    with pytest.raises(ValidationError, match="'parallax' is not a column of SDSS"):
        tap_source(columns=columns)
