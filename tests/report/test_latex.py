"""LaTeX tables: as many cells as columns, nothing that LaTeX would take for a command."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sdssflow.report.glossary import METRICS
from sdssflow.report.latex import escaped, latex
from sdssflow.report.sections import Cell, Column, Table

HOSTILE = r"50% of $x_1 & {y} #1 \input{z} ~^<>|"


def test_every_special_letter_is_escaped():
    text = escaped(HOSTILE)
    words = re.sub(r"\\text[a-z]+\{\}|\\[%$_&#{}]", "", text)
    assert not set(words) & set("%$_&#{}~^\\<>|")
    assert r"\textbackslash{}input\{z\}" in text


def test_every_letter_is_one_that_pdflatex_knows():
    words = "".join(f"{metric.label} {metric.formula}" for metric in METRICS.values())
    text = escaped(words + "ΑΩϑ☃ é")
    assert re.findall(r"[^\x00-\u017f]", text) == []
    assert text.endswith(r"$\mathrm{A}$$\Omega$[U+03D1][U+2603] é")


def test_numbers_keep_their_interval_and_bold_and_names_their_subscript():
    table = Table(
        "Scores & more",
        "Text.",
        [Column("model", numeric=False), Column("σ_NMAD", "median subtracted")],
        [[Cell("local_linear", numeric=False), Cell("−0.012", "[−0.013, 0.011]", -0.012, True)]],
        ["N = 1,000."],
    )
    text = latex(table, "x:y")
    assert r"model & $\sigma_{\mathrm{NMAD}}$ \\" in text
    assert r"local\_linear & \textbf{$-$0.012} {\footnotesize [$-$0.013, 0.011]} \\" in text
    assert r"\begin{tabular}{lr}" in text
    assert r"\caption{Scores \& more. Text.}" in text
    assert r"$\sigma_{\mathrm{NMAD}}$: median subtracted. N = 1,000." in text


def wide(models, scores):
    """A table of scores with intervals, named as bins are."""
    heads = ["model", *(f"[{number}, {number + 1}]" for number in range(scores))]
    rows = [
        [Cell(name, numeric=False), *(Cell(f"0.1234{row}", "[0.12, 0.13]") for _ in heads[1:])]
        for row, name in enumerate(models)
    ]
    return Table("Scores", "", [Column(head, numeric=head != "model") for head in heads], rows)


def test_intervals_stand_below_their_values_where_a_page_is_too_narrow():
    beside = latex(wide(["linear"], 4), "x")
    small = r"{\footnotesize [0.12, 0.13]}"
    assert rf"linear & 0.12340 {small} & 0.12340 {small}" in beside
    below = latex(wide(["linear", "forest"], 7), "x")
    assert r"\begin{tabular}{lrrrrrrr}" in below
    assert "linear & 0.12340 & 0.12340 & 0.12340" in below
    assert f"\n & {small} & {small}" in below


def test_rows_and_columns_are_exchanged_where_that_is_too_wide():
    text = latex(wide(["linear", "forest"], 12), "x")
    small = r"{\footnotesize [0.12, 0.13]}"
    assert r"\begin{tabular}{lrr}" in text
    assert r"model & linear & forest \\" in text
    # a bracket that begins a row would be an argument of the one before
    assert "{}[8, 9] & 0.12340 & 0.12341 \\\\\n" + rf" & {small} & {small} \\[2pt]" in text
    many = latex(wide([f"model_{number}" for number in range(20)], 12), "x")
    assert r"\begin{tabular}{lrrrrrrrrrrrr}" in many  # exchanged it would be wider still
    assert r"\scriptsize" in many and r"{\tiny [0.12, 0.13]}" in many


def test_every_table_of_a_page_is_written_with_as_many_cells_as_columns(results):
    results.build()
    found = [path for folder in results.output.tables for path in Path(folder).iterdir()]
    assert len(found) > 40
    labels = set()
    for path in found:
        text = path.read_text(encoding="utf-8")
        columns = len(re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1])
        body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
        rows = [line for line in body.splitlines() if line.endswith((r"\\", r"\\[2pt]"))]
        assert len(rows) >= 2
        assert all(len(re.findall(r"(?<!\\)&", row)) == columns - 1 for row in rows), path
        labels.add(re.search(r"\\label\{(.*)\}", text)[1])
    assert len(labels) == len(found)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_takes_the_tables(results):
    results.build()
    inputs = "".join(
        rf"\input{{{path}}}\clearpage" for folder in results.output.tables
        for path in sorted(Path(folder).iterdir())
    )  # fmt: skip
    document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{inputs}"
    path = results.folder / "all.tex"
    path.write_text(document + r"\end{document}")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", path.name],
        cwd=results.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
