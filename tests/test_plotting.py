import pytest
from pydantic import ValidationError

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate import class_figures
from sdssflow.plotting import model_look, plt, save_figure, style


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
