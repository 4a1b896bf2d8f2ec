"""What a column tells of objects that were not looked at, and the figure of it."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sdssflow.prepare.figures import draw_leaks
from sdssflow.prepare.leak_scores import COLUMNS, leak_scores
from tests.prepare.catalogues import make_catalogue

N = 2000
DRAW = np.random.default_rng(7)
PLATE = np.arange(N) // 40
# the class is that of most targets on the plate, in no order of plates
CLASS = np.where(
    DRAW.random(N) < 0.9,
    np.array(["GALAXY", "QSO", "STAR"])[DRAW.integers(0, 3, N // 40)][PLATE],
    np.array(["GALAXY", "QSO", "STAR"])[DRAW.integers(0, 3, N)],
)
ZSPEC = DRAW.uniform(0, 1, N)
CATALOGUE = make_catalogue(N, plate=PLATE, zspec=ZSPEC).drop_columns(["spec_class"])
CATALOGUE = CATALOGUE.append_column("spec_class", pa.array(CLASS.tolist()))
KEYS = pa.chunked_array([[f"object_{row}" for row in range(N)]])


def scores(features, catalogue=CATALOGUE, keys=KEYS):
    return leak_scores(features, catalogue, keys).set_index("column")


def test_the_truth_tells_all_and_noise_nothing():
    table = scores({"noise": DRAW.normal(size=N), "z_like": ZSPEC + DRAW.normal(0, 0.05, N)})
    assert table.reset_index().columns.tolist() == COLUMNS
    assert table.loc["spec_class", "auc"] == 1
    assert table.loc["zspec", "r2"] > 0.99
    assert table.loc["noise", "auc"] < 0.56 and table.loc["noise", "r2"] < 0.03
    expected = 1 - 0.05**2 / (1 / 12)
    assert table.loc["z_like", "r2"] == pytest.approx(expected, abs=0.02)
    assert table["kind"][["noise", "z_like"]].tolist() == ["feature", "feature"]
    assert table.loc["zspec", "reason"].startswith("the redshift is the quantity to learn")
    assert table.loc["noise", "reason"] == ""


def test_a_plate_tells_the_class_whatever_the_order_of_plates():
    assert scores({})["auc"]["plate"] > 0.9


def test_an_id_of_its_own_for_each_object_tells_nothing_of_others():
    shuffled = pa.array(DRAW.permutation(N))
    catalogue = CATALOGUE.append_column("objid", shuffled)
    assert scores({}, catalogue)["auc"]["objid"] < 0.56


def test_duplicates_do_not_tell_of_each_other():
    """Each object twice: its noise would give its class away if its duplicate were learnt from."""
    twice = CATALOGUE.take(pa.array(np.repeat(np.arange(0, N, 50), 50)))
    noise = np.repeat(DRAW.normal(size=N // 50), 50)
    together = pa.chunked_array([np.repeat(np.arange(N // 50), 50).astype(str).tolist()])
    honest = scores({"noise": noise}, twice, together)
    apart = scores({"noise": noise}, twice, KEYS)
    assert apart["r2"]["noise"] > 0.9
    assert honest["r2"]["noise"] < 0.2


def test_missing_values_are_a_bin_of_their_own():
    gaps = np.where(CLASS == "STAR", np.nan, DRAW.normal(size=N))
    table = scores({"gaps": gaps})
    assert table.loc["gaps", "of_class"] == "STAR"
    assert table.loc["gaps", "auc"] == 1
    assert table.loc["gaps", "known"] == pytest.approx((CLASS != "STAR").mean())


def test_without_classes_or_redshifts_there_is_no_score_and_still_a_figure():
    catalogue = CATALOGUE.drop_columns(["spec_class", "zspec"])
    table = scores({"noise": DRAW.normal(size=N)}, catalogue)
    assert table[["auc", "r2"]].isna().all(axis=None)
    plt.close(draw_leaks(table.reset_index(), "none"))


def test_the_figure_has_what_is_refused_on_top_and_a_panel_for_each_truth():
    figure = draw_leaks(scores({"noise": DRAW.normal(size=N)}).reset_index(), "s")
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names[0] == "spec_class" and names[-1] == "noise"
    assert len(figure.axes) == 2
    plt.close(figure)
    only = scores({"noise": DRAW.normal(size=N)}, CATALOGUE.drop_columns(["spec_class"]))
    figure = draw_leaks(only.reset_index(), "s")
    assert len(figure.axes) == 1
    plt.close(figure)


def test_the_same_rows_give_the_same_bytes():
    one, other = (leak_scores({"x": ZSPEC}, CATALOGUE, KEYS) for _ in range(2))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("n", [1, 3])
def test_a_handful_of_objects_is_no_error(n):
    catalogue, keys = CATALOGUE.slice(0, n), KEYS.slice(0, n)
    table = scores({"x": ZSPEC[:n]}, catalogue, keys)
    assert len(table) > 5
    assert n > 1 or table[["auc", "r2"]].isna().all(axis=None)
