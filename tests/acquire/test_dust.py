"""Extinction at positions, from the map of dust that ships with the project."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from sdssflow.acquire.checks import Defects
from sdssflow.acquire.dust import extinctions, reddening
from sdssflow.acquire.files.conform import conform, conform_block
from sdssflow.acquire.files.readers import SourceTable
from sdssflow.bands import SFD_COEFFICIENT
from sdssflow.configuration.features import Features
from sdssflow.configuration.file_sources import FileSource
from sdssflow.prepare.features import build_features
from sdssflow.tables import metadata, read_parquet, with_metadata

MCLASS = Path(__file__).parents[2] / "data/embedded/mclass.parquet"
BANDS = tuple(SFD_COEFFICIENT)
ROWS = 4
POSITIONS = {"ra": [192.9, 10.0, None, 0.0], "dec": [27.1, -5.0, None, 0.0]}


def table(**columns):
    mags = {f"model_mag_{band}": [18.0 + k / 10 for k in range(ROWS)] for band in BANDS}
    return pa.table({**mags, **POSITIONS, **columns})


def settings(rows, **changes):
    chosen = {"extinction_from": {"map": "sfd98"}, **changes}
    columns = {name: name for name in rows.column_names}
    return FileSource(kind="file", path="a.parquet", columns=columns, **chosen)


def read(rows=None, first_row=0, **changes):
    rows = rows or table()
    of = settings(rows, **changes)
    source = SourceTable("a.parquet", "parquet", "0" * 64, of.columns, rows, first_row=first_row)
    return source, of


def test_it_is_that_of_sdss():
    rows = read_parquet(MCLASS)
    ours = extinctions(rows["ra"].to_numpy(), rows["dec"].to_numpy(), None)["r"]
    theirs = rows["extinction_r"].to_numpy()
    assert np.median(ours / theirs) == pytest.approx(1.01, abs=0.005)
    assert np.quantile(np.abs(ours - theirs), 2 / 3) < 0.006
    assert np.quantile(np.abs(ours / theirs - 1), 2 / 3) < 0.085


def test_it_is_smooth_across_the_borders_of_the_sky():
    ra, dec = np.array([0.0, 360.0, 17.0, 200.0]), np.array([3.0, 3.0, 90.0, 90.0])
    first, last, pole, same_pole = reddening(ra, dec)
    assert first == pytest.approx(last)
    assert pole == pytest.approx(same_pole)
    step = np.diff(reddening(np.full(200, 150.0), np.linspace(20, 22, 200)))
    assert np.abs(step).max() < 0.002


def test_without_a_position_it_is_missing_and_counted():
    catalogue, defects = conform(*read())
    found = catalogue["extinction_r"].to_pylist()
    assert found[2:] == [None, None]  # (0, 0) is a placeholder
    assert 0 < found[0] < 0.1
    counted = defects.set_index(["column", "defect"]).loc[("extinction_r", "missing")]
    assert (counted["count"], counted["action"], counted["example_row"]) == (2, "kept as null", 2)


def test_without_a_position_a_stated_reddening_is_assumed():
    dust = {"map": "sfd98", "without_position": 0.04}
    catalogue, defects = conform(*read(extinction_from=dust))
    for band, coefficient in SFD_COEFFICIENT.items():
        assert catalogue[f"extinction_{band}"].to_pylist()[2:] == pytest.approx(
            [0.04 * coefficient] * 2
        )
    assert "E(B-V) 0.04 mag assumed" in set(defects["action"])


def test_where_dust_is_opaque_it_is_out_of_range():
    catalogue, defects = conform(*read(table(ra=[266.4] * ROWS, dec=[-28.9] * ROWS, plate=[1] * 4)))
    assert catalogue["extinction_r"].null_count == ROWS
    assert "out of range" in set(defects["defect"])


def test_columns_are_those_of_the_schema_in_its_order():
    catalogue, _ = conform(*read(table(plate=[1] * ROWS)))
    names = catalogue.column_names
    assert names.index("plate") < names.index("model_mag_u") < names.index("extinction_u")
    assert catalogue.schema.field("extinction_u").type == pa.float32()


def test_blocks_have_the_extinction_of_the_whole():
    whole, _ = conform(*read())
    blocks = [
        conform_block(*read(table().slice(start, 2), first_row=start), Defects())
        for start in (0, 2)
    ]
    assert pa.concat_tables(blocks).equals(whole)


def test_features_are_corrected_with_it():
    catalogue, _ = conform(*read())
    catalogue = with_metadata(catalogue, extinction_applied=False, magnitude_system="asinh")
    made = build_features(catalogue, Features())
    assert metadata(made.schema)["deredden"] == "applied here"
    bluer = catalogue["extinction_g"].to_numpy() - catalogue["extinction_r"].to_numpy()
    np.testing.assert_allclose(made["model_color_gr"].to_numpy(), -bluer, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "columns", "message"),
    [
        ({"extinction_applied": True}, {}, "extinction would be subtracted twice"),
        ({}, {"extinction_r": [0.1] * ROWS}, "columns maps extinction_r; leave out one"),
        ({"extinction_from": {"map": "planck"}}, {}, "sfd98"),
        ({"extinction_from": {"map": "sfd98", "without_position": -1.0}}, {}, "greater than"),
    ],
)
def test_a_contradiction_is_refused(changes, columns, message):
    with pytest.raises(ValidationError, match=message):
        settings(table(**columns), **changes)


def test_positions_are_required():
    with pytest.raises(ValidationError, match="columns does not map dec"):
        settings(table().drop_columns(["dec"]))
