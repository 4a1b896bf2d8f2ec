"""LaTeX tables: as many cells as columns, nothing that LaTeX would take for a command."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sdssflow.report.glossary import METRICS
from sdssflow.report.latex import escaped, latex
from sdssflow.report.tables import Cell, Column, Table

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
    assert (
        r"{local\_linear} & \textbf{$-$0.012} {\footnotesize [$-$0.013, 0.011]} \\" in text
    )  # the bracket stands behind words: after \\ it would be an argument
    assert r"\begin{tabular}{lr}" in text
    assert r"\caption{Scores \& more. Text.}" in text
    assert r"$\sigma_{\mathrm{NMAD}}$: median subtracted. N = 1,000." in text


def test_every_table_of_a_page_is_written_with_as_many_cells_as_columns(results):
    results.build()
    found = [path for folder in results.output.tables for path in Path(folder).iterdir()]
    assert len(found) > 40
    labels = set()
    for path in found:
        text = path.read_text(encoding="utf-8")
        columns = len(re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1])
        body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
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
