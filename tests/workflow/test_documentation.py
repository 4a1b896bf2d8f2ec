"""Python and first steps of the documentation, on the finished tiny run.

The tiny run stands in for the default one: its sample `tiny` is a part of `mgs`, and it has no
random forest.
"""

from importlib.util import find_spec

import pytest
import yaml

from tests.docs.markdown import ROOT, blocks, name, pages

pytestmark = pytest.mark.workflow
# lsdb.md runs in tests/estimate/test_hats.py, where there is a catalogue for it
PAGES = [p for p in pages() if blocks(p, "python") and p.name != "lsdb.md"]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_python_of_a_page_runs_from_top_to_bottom(finished, monkeypatch, page):
    monkeypatch.chdir(finished.folder)
    shown = [block.text for block in blocks(page, "python")]
    if not find_spec("qp"):  # of an environment of its own, as the page says
        shown = [text for text in shown if "import qp\n" not in text]
    code = "\n".join(shown)
    code = code.replace("results/mgs/", "results/tiny/").replace("/forest/", "/logistic/")
    exec(compile(code, page.name, "exec"), {"__name__": "__main__"})


def test_a_regression_of_your_own_trains_what_student_md_says(finished):
    example = yaml.safe_load(blocks(ROOT / "docs/student.md", "yaml")[0].text)
    mine = finished.folder / "mine.yaml"
    mine.write_text(yaml.safe_dump({**example, "samples": ["tiny"]}))
    try:
        planned = finished.planned("--configfile", "mine.yaml")
    finally:
        mine.unlink()
    assert planned["train_regressor"] == planned["train_network"] == 1
    assert planned["predict_redshifts"] == len(example["regressors"])
    again = {"score_redshifts", "plot_redshifts", "check_published", "build_report", "write_crate"}
    assert set(planned) == {"train_regressor", "train_network", "predict_redshifts", *again}
