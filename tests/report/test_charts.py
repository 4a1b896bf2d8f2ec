import base64
import json

import numpy as np
import pandas as pd
import pytest

from sdssflow.report import charts
from sdssflow.report.charts import (
    learning_chart,
    objects_chart,
    read_densities,
    reliability_chart,
    stacks_chart,
)
from sdssflow.report.rendering import LIBRARY, TEMPLATES
from sdssflow.report.sections import ReportError
from tests.report import small_tables


def heights(found):
    flat = np.frombuffer(base64.b64decode(found["density"]), np.uint8)
    return flat.reshape(-1, charts.PDF_BINS).astype(float)


def test_a_density_is_that_of_its_object_whatever_the_order_of_the_file(tmp_path):
    small_tables.write_densities(tmp_path / "pdfs.hdf5", [7, 3, 20, 11])
    found = read_densities(tmp_path / "pdfs.hdf5", np.array([3, 7, 11]), 1)
    edges = np.linspace(found["low"], found["high"], charts.PDF_BINS + 1, axis=1)
    at = (edges[:, 1:] + edges[:, :-1]) / 2
    weights = heights(found)
    mean = (at * weights).sum(axis=1) / weights.sum(axis=1)
    assert mean == pytest.approx([0.115, 0.135, 0.155], abs=1e-3)
    width = np.sqrt((weights * (at - mean[:, None]) ** 2).sum(axis=1) / weights.sum(axis=1))
    assert width == pytest.approx(0.02, rel=0.05)
    # all but the tails: 2.748 standard deviations on either side
    assert np.subtract(found["high"], found["low"]) == pytest.approx(2 * 2.748 * 0.02, rel=0.02)


@pytest.mark.parametrize(("rows", "seed"), [([3, 4], 1), ([3], 2)])
def test_a_file_that_lacks_an_object_or_is_none_is_named(tmp_path, rows, seed):
    path = tmp_path / "pdfs.hdf5"
    small_tables.write_densities(path, [3, 5])
    with pytest.raises(ReportError, match="pdfs.hdf5: lacks objects"):
        read_densities(path, np.array(rows), seed)
    path.write_bytes(b"no densities")
    with pytest.raises(ReportError, match="pdfs.hdf5: not redshift densities"):
        read_densities(path, np.array(rows), seed)


def test_objects_to_point_at_are_the_same_for_every_model():
    frame = pd.DataFrame({"row_id": range(2000), "seed": 1, "reference_mag": 17.0})
    frame["zspec"] = frame["row_id"] / 4000
    shifts = {"a": 0.01, "b</script>": float("nan")}
    frames = {name: frame.assign(zphot=frame["zspec"] + shift) for name, shift in shifts.items()}
    shown, again = (objects_chart(frames, "a", {}, {}) for _ in range(2))
    assert shown == again
    assert list(shown.choices["Model"]) == ["a", "b</script>"]
    assert "</script>" not in shown.content
    assert "NaN" not in shown.content
    content = json.loads(shown.content)
    assert len(set(content["object"])) == charts.DRAWN < 2000
    assert f"{charts.DRAWN} of the 2,000 test objects" in shown.text
    apart = np.subtract(content["zphot"]["a"], content["zspec"])
    assert apart == pytest.approx(0.01, abs=2e-5)


def test_each_curve_stands_under_the_choice_that_shows_it():
    table = small_tables.reliability(["one", "best"])
    shown = reliability_chart(table, "best")
    assert list(shown.choices["Model"]) == ["best", "one"]
    assert next(iter(shown.choices["Probability of the"])) == charts.TOP_CLASS
    series = json.loads(shown.content)["series"]
    rows = table[(table["model"] == "one") & (table["subset"] == "QSO")]
    (points,) = (s for s in series if s["choice"] == [1, 2] and s["kind"] == "points")
    assert points["y"] == rows["fraction"].tolist()
    assert "correct: 0.21 [0.10, 0.30]" in points["text"][0]


def test_stacks_have_a_line_and_true_numbers_for_each_bin():
    series = json.loads(stacks_chart(small_tables.stacked(["a"]), "a").content)["series"]
    assert [s["kind"] for s in series] == ["area", "step"] * 2
    assert len({s["group"] for s in series}) == 2
    assert series[0]["y"] == [10, 20, 30, 40]
    assert series[1]["y"] == [10.5, 21, 31.5, 42]
    assert series[1]["x"][0] == pytest.approx(0.15)


def test_a_fit_goes_on_where_the_training_part_ends_and_none_is_needed():
    curves = small_tables.learning_curves()
    fit = {"task": "regress", "model": "mean", "part": "test", "metric": "rms", "objects": 1000}
    fit |= {"floor": 0.0, "factor": 1.0, "exponent": 1.0}
    series = json.loads(learning_chart(curves, pd.DataFrame([fit])).content)["series"]
    kinds = [(s["choice"][0], s["kind"]) for s in series]
    assert kinds == [(0, "points"), (0, "line"), (0, "dashed"), (1, "points")]
    for one in series[:3]:
        assert one["y"] == pytest.approx(1 / np.array(one["x"]), rel=1e-3)
    assert series[1]["x"][-1] == series[2]["x"][0] == 1000
    assert series[0]["upper"] == [None, None]


def test_the_library_says_which_it_is_and_under_which_licence():
    licence, *programs = ((TEMPLATES / name).read_text(encoding="utf-8") for name in LIBRARY)
    for program in programs:
        name, version = program.splitlines()[0].split()[1:3]
        assert version.removeprefix("v") in licence, name
        assert "</script" not in program
    assert "Permission to use, copy, modify, and/or distribute" in licence
