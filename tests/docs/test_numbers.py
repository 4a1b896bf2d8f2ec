"""Numbers of the default run in the documentation are those that were locked."""

import re

import pytest
import yaml

from tests.docs.markdown import ROOT, blocks

LOCKED = yaml.safe_load((ROOT / "config/locked/default_run.yaml").read_text())["scores"]
REGRESS, PDF, CLASSIFY = (
    "mgs/regress/published/scores.csv",
    "mgs/regress/published/pdf_scores.csv",
    "mclass/classify/folds/scores.csv",
)
REGRESSORS = {
    "mean redshift": "mean",
    "linear, closed form": "linear",
    "linear, gradient descent": "descent",
    "prediction trees": "trees",
    "polynomial": "polynomial",
    "gradient boosting": "boosting",
    "random forest": "forest",
    "local linear, 100 neighbours": "local_linear",
    "deep network": "network",
    "ensemble of 10 mixture-density networks": "ensemble",
    "ensemble": "ensemble",
}
CLASSIFIERS = {
    "class frequencies": "dummy",
    "logistic regression": "logistic",
    "gradient boosting": "boosting",
    "ensemble of 10 networks": "networks",
    "nearest neighbours": "neighbours",
    "random forest": "forest",
    "neural network": "network",
    "vote of three": "vote",
    "support vectors": "svm",
}
# heading of a column -> score; mean squares (MSE) come besides, in 1e-4
COLUMNS = {
    "R2": "r2",
    "sigma_NMAD": "sigma_nmad",
    "CRPS": "crps",
    "CDE loss": "cde_loss",
    "PIT KS": "pit_ks",
    "accuracy": "accuracy",
    "macro F1": "macro_f1",
    "log-loss": "log_loss",
}


def locked(table, model, score):
    [value] = [
        entry["value"]
        for name, entry in LOCKED[table].items()
        if name.startswith(f"{model}: {score} (")
    ]
    return value


def rows(text, first):
    """Yield the rows of the first table with this heading of its first column, as dictionaries."""
    lines = text[
        re.search(rf"^\| {re.escape(first)} \|", text, re.MULTILINE).start() :
    ].splitlines()
    header, _, *body = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    for cells in body:
        if not cells:
            return
        yield dict(zip(header, cells, strict=True))


def differs(shown, value):
    """Say whether a rounded number, as text, is another than a value."""
    number = re.match(r"[−-]?[\d.]+", shown)[0].replace("−", "-")
    half = 0.5 * 10.0 ** -len(number.partition(".")[2])
    return abs(float(number) - value) > half * (1 + 1e-6)


@pytest.mark.parametrize(
    ("page", "first", "table", "names", "count"),
    [
        ("README.md", "model", REGRESS, REGRESSORS, 4),
        ("docs/results.md", "model", REGRESS, REGRESSORS, 10),
        ("docs/results.md", "p(z) of", PDF, REGRESSORS, 3),
        ("docs/results.md#classes", "model", CLASSIFY, CLASSIFIERS, 9),
    ],
)
def test_tables_of_the_default_run(page, first, table, names, count):
    path, _, section = page.partition("#")
    text = (ROOT / path).read_text()
    text = text[text.index("\n## Classes") :] if section else text
    seen = list(rows(text, first))
    assert len(seen) == count
    for row in seen:
        model = names[row[first]]
        for heading in COLUMNS.keys() & row.keys():
            value = locked(table, model, COLUMNS[heading])
            assert not differs(row[heading], value), f"{model}, {heading}: {value}"
        if "MSE" in row:
            value = 1e4 * locked(table, model, "rmse") ** 2
            assert not differs(row["MSE"], value), f"{model}, MSE: {value}"


def test_scores_of_the_tutorial():
    shown = re.findall(
        r"^ *(ensemble|linear) (\S+)",
        "\n".join(block.text for block in blocks(ROOT / "docs/student.md", "")),
        re.MULTILINE,
    )
    assert len(shown) == 2
    for model, number in shown:
        assert not differs(number, locked(REGRESS, model, "sigma_nmad")), model


def test_another_number_is_noticed():
    assert not differs("0.0112 [0.0108, 0.0117]", 0.01124)
    assert differs("0.0112 [0.0108, 0.0117]", 0.01131)
    assert differs("−0.004", 0.004)
