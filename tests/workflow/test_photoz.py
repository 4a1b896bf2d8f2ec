"""SDSS's own redshifts are scored where a sample asks for them."""

import pytest
import yaml

from tests.workflow.conftest import ROOT

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize("photoz", [True, False])
def test_a_run_scores_them_where_its_sample_asks_for_them(finished, photoz):
    sample = yaml.safe_load((ROOT / "config/samples/mocksky_galaxies.yaml").read_text())
    sample["source"]["photoz"] = photoz
    path = finished.folder / "config/samples/own.yaml"
    path.write_text(yaml.safe_dump(sample | {"regressors": ["mean", "linear"]}))
    try:
        only = ["--config", "samples=[own]", "bundles={}", "targets=[]"]
        assert finished.planned(*only).get("score_photoz", 0) == photoz
    finally:
        path.unlink()
