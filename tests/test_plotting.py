import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.figures import Figures
from sdssflow.evaluate import class_figures
from sdssflow.plotting import (
    draw_all,
    model_look,
    panels,
    plt,
    running_percentiles,
    save_figure,
    style,
)


def drawn(path, **settings):
    with style():
        figure, axes = plt.subplots()
        axes.plot([1, 2], label="δ")
        axes.legend()
        save_figure(figure, path, Figures(dpi=50, **settings))


def test_a_figure_is_written_in_every_format_and_always_with_the_same_bytes(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        drawn(tmp_path / folder / "figure.png", also=["pdf", "svg"])
    first, second = (
        {path.suffix: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("first", "second")
    )
    assert first == second
    assert set(first) == {".png", ".pdf", ".svg"}
    assert first[".pdf"].startswith(b"%PDF")
    assert not any(word in first[".pdf"] for word in (b"CreationDate", b"matplotlib"))


def test_by_default_there_is_one_format(tmp_path):
    drawn(tmp_path / "figure.svg", format="svg")
    assert [path.name for path in tmp_path.iterdir()] == ["figure.svg"]


@pytest.mark.parametrize("also", [["png"], ["pdf", "pdf"], ["gif"]])
def test_a_format_is_not_named_twice_and_is_known(also):
    with pytest.raises(ValidationError, match="also"):
        Figures(format="png", also=also)


def test_no_two_models_look_alike():
    assert len({model_look(place)[:2] for place in range(32)}) == 32
    assert len({class_figures._look(place) for place in range(32)}) == 32


def test_every_figure_that_is_asked_for_is_drawn_from_inputs_that_are_read_once(tmp_path):
    read = []
    figures = {
        "one": (lambda values: panels(len(values), 1, 1)[0], ("values",)),
        "two": (lambda values, more: panels(5, 1, 1)[0], ("values", "more")),
        "three": (None, ()),
    }
    paths = [tmp_path / "two.svg", tmp_path / "one.svg"]
    draw_all(paths, figures, lambda name: read.append(name) or [1], Figures(format="svg"))
    assert all(path.is_file() for path in paths)
    assert read == ["values", "more"]
    assert plt.get_fignums() == []
    with pytest.raises(ValueError, match="unknown figure 'pie'; there are one, two, three"):
        draw_all([tmp_path / "pie.svg"], figures, read.append, Figures())


def test_running_percentiles_follow_a_curve_whatever_the_order():
    generator = np.random.default_rng(1)
    x = generator.uniform(0, 1, 4000)
    y = x**2 + generator.normal(0, 0.05, len(x))
    y[::50] = 1e6  # outliers: a mean would follow them
    center, bands = running_percentiles(x, y, fewest=15)
    np.testing.assert_allclose(bands[:, 1], center**2, atol=0.03)
    np.testing.assert_allclose((bands[:, 2] - bands[:, 0])[3:-3] / 2, 0.06, atol=0.03)
    shuffled = generator.permutation(len(x))
    again = running_percentiles(x[shuffled], y[shuffled], fewest=15)
    np.testing.assert_array_equal(again[1], bands)


def test_running_percentiles_of_few_or_missing_values_are_empty():
    assert len(running_percentiles(np.arange(5.0), np.arange(5.0), fewest=15)[0]) == 0
    assert len(running_percentiles(np.full(50, np.nan), np.arange(50.0))[0]) == 0


def test_every_column_of_panels_has_its_numbers_below():
    with style():
        figure, axes = panels(6, 2, 2)
        figure.draw_without_rendering()
        numbered = [any(label.get_visible() for label in a.get_xticklabels()) for a in axes]
    assert numbered == [False, False, True, True, True, True]


@pytest.mark.parametrize("models", [1, 4, 9])
def test_titles_and_labels_of_confusion_matrices_are_not_cut_and_do_not_touch(models):
    names = [f"model_{place}" for place in range(models)]
    rows = [(m, "all", t, p, 1 / 3) for m in names for t in CLASSES for p in CLASSES]
    table = pd.DataFrame(rows, columns=["model", "seed", "truth", "predicted", "fraction"])
    with style():
        figure = class_figures.draw_confusion(table, names)
        figure.draw_without_rendering()
        title = figure.axes[0].title.get_window_extent()
        below = min(label.get_window_extent().y0 for label in figure.axes[-1].get_xticklabels())
        assert title.y1 < figure.bbox.y1
        assert figure._supxlabel.get_window_extent().y1 < below
