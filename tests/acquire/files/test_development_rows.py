"""The public copies of SDSS rows that lie beside the checkout are taken as they are."""

from pathlib import Path

import pytest
import yaml

from sdssflow.acquire.files.conform import read_catalogue
from sdssflow.configuration.sample import Sample

ROOT = Path(__file__).parents[3]
SHARED = ROOT / "../shared/data"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="no development rows beside the checkout"),
]


def read(name):
    text = (ROOT / f"config/samples/{name}.yaml").read_text()
    sample = Sample.model_validate(yaml.safe_load(text))
    catalogue, defects = read_catalogue(ROOT / sample.source.path, sample.source, name)
    counts = defects.set_index(["column", "defect"])["count"].to_dict()
    return catalogue.to_pandas(), counts


@pytest.mark.parametrize("name", ["dr14", "dr14_galaxies"])
def test_dr14(name):
    frame, defects = read(name)
    assert frame["spec_class"].value_counts().to_dict() == {
        "GALAXY": 4998,
        "STAR": 4152,
        "QSO": 850,
    }
    assert defects == {("zspec", "exactly zero"): 19}
    assert frame.loc[0, ["plate", "mjd", "fiberid"]].tolist() == [3306, 54922, 491]


def test_dr17_keeps_rows_without_positions():
    frame, defects = read("dr17")
    assert len(frame) == 54379
    without = 15926
    spatial = ("ra", "dec", "run", "camcol", "field", "plate", "mjd", "fiberid")
    assert defects == {
        **{(name, "missing"): without for name in spatial},
        ("zspec", "exactly zero"): 219,
    }
    assert frame["plate"].isna().sum() == without
    assert frame.loc[0, ["run", "camcol", "fiberid"]].tolist() == [3225, 6, 83]


def test_galaxy_colors():
    frame, defects = read("galaxy_colors")
    assert frame["spec_class"].value_counts().to_dict() == {"GALAXY": 41475, "QSO": 8525}
    assert defects == {("zspec", "exactly zero"): 179}
    assert frame["zspec_err"].notna().all()
