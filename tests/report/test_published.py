import pandas as pd
import pytest

from sdssflow.configuration.figures import Figures
from sdssflow.evaluate.published import COLUMNS
from sdssflow.evaluate.published_figures import draw_curves
from sdssflow.plotting import save_figure, style
from sdssflow.report.published_numbers import published_section, published_tables
from sdssflow.report.sections import ReportError
from sdssflow.tables import read_csv, write_csv

ROW = {
    "citation": "Beck 2016", "metric": "sigma_nmad", "convention": "median subtracted",
    "subset": "all", "theirs": 0.02, "uncertainty": 0.001, "sample": "galaxies", "split": "drawn",
    "model": "linear", "ours": 0.0203, "ours_low": 0.0199, "ours_high": 0.0207,
    "difference": 0.0003, "tolerance": 0.001, "verdict": "reproduced", "because": "<b>why</b>",
}  # fmt: skip
GAPS = {"gaps": "features: images", "closed_by": "features: nothing known to us"}
UNLIKE = ROW | {"verdict": "not comparable", "because": "other galaxies"} | GAPS
WEIGHTED = ROW | {
    "verdict": "compatible within", "weighted_to": "zspec: median 0.1 (abstract)",
    "effective_n": 1234.6,
}  # fmt: skip
OTHER = ROW | {"verdict": "not run", "ours": None, "because": "no such sample"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "published.csv"
    write_csv(pd.DataFrame([ROW, OTHER, UNLIKE], columns=COLUMNS), path)
    return path


def test_what_was_compared_stands_apart_from_what_was_not(path):
    compared, others = published_tables(path)
    assert [cell.text for cell in compared.rows[0]][2:5] == [
        "0.020 ± 0.001", "0.02030", "galaxies / drawn / linear"
    ]  # fmt: skip
    assert compared.rows[0][5].text == "0.00030"  # as many decimals as ours
    assert compared.notes == ["1 reproduced"]
    assert others.folded
    assert [row[-1].text for row in others.rows] == ["other galaxies", "no such sample"]
    assert [row[3].text for row in others.rows] == ["0.02030", ""]


def test_gaps_of_a_paper_are_one_row_until_a_number_is_compared(tmp_path):
    path = tmp_path / "gaps.csv"
    other = {"entry": "b", "metric": "bias", "convention": "mean"}
    done = UNLIKE | {"entry": "c", "citation": "Way 2009"}
    rows = [UNLIKE | {"entry": "a"}, UNLIKE | other, done, done | {"verdict": "differs"}]
    write_csv(pd.DataFrame(rows, columns=COLUMNS), path)
    *_, gaps = published_tables(path)
    scores = "σ_NMAD, median subtracted; bias, mean"
    assert [[cell.text for cell in row] for row in gaps.rows] == [
        ["Beck 2016", scores, *GAPS.values()]
    ]


def test_weighted_objects_stand_apart_with_their_effective_number(tmp_path):
    path = tmp_path / "weighted.csv"
    rows = [ROW, WEIGHTED, WEIGHTED | {"verdict": "not compatible"}]
    write_csv(pd.DataFrame(rows, columns=COLUMNS), path)
    compared, weighted = published_tables(path)
    assert compared.rows[0][5].text == "0.00030"  # as many decimals as ours
    assert compared.notes == ["1 reproduced"]
    assert weighted.notes == ["1 compatible within, 1 not compatible"]
    assert [cell.text for cell in weighted.rows[0]][5:9] == [
        "1,235", "0.001", "compatible within", "zspec: median 0.1 (abstract)"
    ]  # fmt: skip
    said = published_section(path, tmp_path / "none.png").text[0]
    assert "1 reproduced, 0 differs, 0 undecided, 1 compatible within, 1 not compatible" in said


def test_a_curve_is_a_table_of_its_own_and_one_line_where_it_was_not_run(tmp_path):
    bins = [(0.0, 0.1, "reproduced"), (0.1, 0.2, "undecided"), (0.2, 0.3, "not run")]
    rows = [ROW | {"entry": "a", "zspec_low": low, "zspec_high": high, "verdict": verdict}
            for low, high, verdict in bins]  # fmt: skip
    rows[-1]["ours"] = None
    missing = [
        OTHER | {"entry": "b", "zspec_low": low, "zspec_high": high} for low, high, _ in bins
    ]
    path = tmp_path / "curves.csv"
    write_csv(pd.DataFrame([*rows, *missing], columns=COLUMNS), path)
    curve, others = published_tables(path)
    assert [row[0].text for row in curve.rows] == [
        "0.000 to 0.100", "0.100 to 0.200", "0.200 to 0.300"
    ]  # fmt: skip
    assert [row[-1].text for row in curve.rows] == [verdict for *_, verdict in bins]
    assert curve.notes[0] == "1 reproduced, 1 undecided, 1 not run"
    assert "Beck 2016" in curve.title
    assert "<b>why</b>" in curve.text
    assert len(others.rows) == 1


@pytest.mark.parametrize("ran", [True, False])
def test_the_section_begins_with_what_was_reproduced(ran, tmp_path):
    verdict = "reproduced" if ran else "not run"
    rows = [ROW | {"entry": "a", "zspec_low": 0.1, "zspec_high": 0.2, "verdict": verdict}, UNLIKE]
    write_csv(pd.DataFrame(rows, columns=COLUMNS), tmp_path / "published.csv")
    with style():
        figure = draw_curves(read_csv(tmp_path / "published.csv"))
        save_figure(figure, tmp_path / "curves.png", Figures())
    section = published_section(tmp_path / "published.csv", tmp_path / "curves.png")
    assert f"{int(ran)} reproduced, 0 differs" in section.text[0]
    assert "1 not comparable" in section.text[0]
    titles = [block.title for block in section.blocks]
    assert (titles[0] == "Published curves and ours") == ran
    assert titles[-2:] == [
        "Published numbers without a comparison", "Why other numbers are not reproduced"
    ]  # fmt: skip


def test_the_index_shows_published_numbers_if_it_is_given_them(results, pages, path):
    assert 'id="published"' not in pages["index"]
    results.published = [path, path.with_suffix(".png")]
    pages = results.build()
    assert pages["index"].count('href="#published"') == 2
    assert "3 published numbers" in pages["index"].partition("Best model")[0]
    assert "&lt;b&gt;why&lt;/b&gt;" in pages["index"]
    assert "Beck 2016" not in pages["mixed"]


def test_the_figure_shows_theirs_and_ours_and_the_tolerance():
    rows = [ROW | {"entry": "a", "zspec_low": low, "zspec_high": low + 0.1, "theirs": low}
            for low in (0.0, 0.1, 0.2)]  # fmt: skip
    rows += [OTHER | {"entry": "b", "zspec_low": 0.0, "zspec_high": 0.1}, ROW]
    with style():
        figure = draw_curves(pd.DataFrame(rows, columns=COLUMNS))
        labels = [[text.get_text() for text in axes.get_legend().get_texts()]
                  for axes in figure.axes]  # fmt: skip
        band = figure.axes[0].collections[0].get_paths()[0].vertices
        assert labels == [["tolerance", "published", "ours: linear"], ["tolerance", "published"]]
        assert band[:, 1].min() == pytest.approx(-0.003)  # 0 less tolerance and twice theirs
        assert len(draw_curves(pd.DataFrame([ROW], columns=COLUMNS)).axes) == 1


def test_another_table_is_refused(path):
    path.write_text("entry,theirs\na,1\n")
    with pytest.raises(ReportError, match="no column 'citation'"):
        published_tables(path)
