"""What WISE sees of the simulated objects, and the shapes of their images."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def both(sky):
    """Objects with their first spectrum and their nearest source of WISE."""
    spec, photo, wise = (table.to_pandas() for table in sky)
    wise = wise.sort_values("match_dist").drop_duplicates("sdss_objid")
    spec = spec[spec["sciencePrimary"] == 1][["bestObjID", "class"]]
    objects = photo.merge(spec, left_on="objID", right_on="bestObjID")
    return objects.merge(wise, left_on="objID", right_on="sdss_objid", how="left")


def test_some_are_not_observed_and_some_of_the_others_not_detected(both, sky):
    matched = both["cntr"].notna()
    assert 0.4 < matched.mean() < 0.8
    seen = {band: (both.loc[matched, f"w{band}sigmpro"] > 0).mean() for band in (1, 2, 3, 4)}
    assert seen[1] > 0.98 and seen[2] > 0.8 and 0.2 < seen[3] < 0.6 and 0.1 < seen[4] < 0.5
    limit = matched & (both["w4sigmpro"] == -9999)
    # a 95 % limit lies near the noise, whatever the object
    assert both.loc[limit, "w4mpro"].between(7.5, 9.2).all()
    wise = sky[2].to_pandas()
    assert wise["cntr"].is_unique
    assert 0.003 < wise["sdss_objid"].duplicated().mean() < 0.03


def test_quasars_are_red_in_wise_and_stars_are_not(both):
    color = (both["w1mpro"] - both["w2mpro"])[both["w2sigmpro"] > 0].groupby(both["class"]).median()
    assert 0.9 < color["QSO"] < 1.3
    assert 0.0 < color["GALAXY"] < 0.4
    assert abs(color["STAR"]) < 0.15


def test_galaxies_are_less_concentrated_than_ellipticals_and_more_than_points(both):
    known = both["petroR50_r"] > 0
    concentration = (both["petroR90_r"] / both["petroR50_r"])[known]
    of = both.loc[known, "class"]
    assert np.median(concentration[of == "STAR"]) == pytest.approx(1.95, abs=0.05)
    assert 2.3 < np.median(concentration[of == "GALAXY"]) < 3.1
    assert (both.loc[~known, "petroR90_r"] == -9999).all()
    for name in ("deVAB_r", "expAB_r", "fracDeV_r"):
        assert both[name].between(0, 1).all()
