"""A sky with odd objects: the others are those of the sky without, and nobody is told which."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from sdssflow.configuration.sources import SkyServerSource
from skyserver_standin.sky.odd_sky import odd_blocks, simulate_oddities
from skyserver_standin.sky.oddities import KINDS
from skyserver_standin.sky.simulation import simulate_sky

BANDS = list("ugriz")


def read(folder, name):
    return pq.read_table(folder / f"{name}.parquet").to_pandas()


@pytest.fixture(scope="module")
def skies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("skies")
    simulate_sky(folder / "plain", 2000, 3)
    simulate_oddities(folder / "odd", 2000, 3, 31)
    return folder


def test_the_stated_number_is_odd_and_all_others_are_as_without(skies):
    plain, odd = (read(skies / name, "photoobj").set_index("objID") for name in ("plain", "odd"))
    oddities = read(skies / "odd", "oddities")
    changed = (plain[BANDS] != odd[BANDS]).any(axis=1)
    assert len(oddities) == changed.sum() == 31
    assert set(plain.index[changed]) == set(oddities["objid"])
    counts = oddities["kind"].value_counts()
    assert set(counts.index) == set(KINDS) and counts.max() - counts.min() <= 1
    spectra = [(skies / name / "specobj.parquet").read_bytes() for name in ("plain", "odd")]
    assert spectra[0] == spectra[1]
    assert not {"kind", "odd"} & set(odd.columns)


def test_each_kind_does_what_it_says(skies):
    plain, odd = (read(skies / name, "photoobj").set_index("objID") for name in ("plain", "odd"))
    oddities = read(skies / "odd", "oddities").set_index("objid")["kind"]
    good = ((plain[BANDS] > 0) & (odd[BANDS] > 0)).all(axis=1) & (plain["r"] < 19)
    shift = (odd[BANDS] - plain[BANDS])[good]
    of = {kind: shift.loc[shift.index.intersection(oddities.index[oddities == kind])]
          for kind in KINDS}  # fmt: skip
    assert ((of["band"].abs() > 0.4).sum(axis=1) == 1).mean() > 0.9
    assert (of["blend"][["g", "r", "i"]] < 0).all(axis=1).mean() > 0.9
    assert (of["dust"]["g"] > of["dust"]["i"]).all() and (of["dust"]["i"] > 0.5).all()


def test_the_same_numbers_give_the_same_bytes_and_blocks_share_them(tmp_path, monkeypatch):
    for name in ("one", "two"):
        simulate_oddities(tmp_path / name, 1500, 5, 20)
    for name in ("specobj", "photoobj", "wise", "oddities"):
        one, two = ((tmp_path / of / f"{name}.parquet").read_bytes() for of in ("one", "two"))
        assert one == two
    blocks = list(odd_blocks(6000, 5, 25, rows=1500))
    assert len(blocks) > 1
    assert sum(len(block[3]) for block in blocks) == 25
    objids = np.concatenate([block[3].column("objid").to_numpy() for block in blocks])
    assert len(set(objids)) == 25


def test_more_than_half_is_refused(tmp_path):
    with pytest.raises(ValueError, match="oddities=60 must be from 0 to half of objects=100"):
        simulate_oddities(tmp_path, 100, 1, 60)
    content = {"kind": "skyserver", "simulated": {"objects": 1000, "oddities": 501}}
    with pytest.raises(ValueError, match="501 are more than half"):
        SkyServerSource.model_validate(content)
    content = {"kind": "skyserver", "rows": "photometry"}
    with pytest.raises(ValueError, match="only a sky of spectra can hold odd objects"):
        SkyServerSource.model_validate(content | {"simulated": {"objects": 1000, "oddities": 5}})


def test_a_sky_without_oddities_asks_what_it_always_asked():
    plain = SkyServerSource.model_validate({"kind": "skyserver", "simulated": {"objects": 1000}})
    assert "oddities" not in plain.question()
