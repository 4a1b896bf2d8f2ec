"""Texts and paths of the configuration mean what they say: Snakemake must not format them."""

import html
import json
import re
from pathlib import Path

import pytest
import yaml

from sdssflow.tables import read_parquet

ROOT = Path(__file__).parents[2]
TEXT = "{A2142} {sample} {wildcards.sample} {{x}} {x,[a-z]+} {0} {} %s $HOME 'q' \"d\" <results> é"
PATH = "data/{d} x/{A2142} {sample} {{split}} {wildcards.sample} {x,[a-z]+} $HOME 'q' \"d\" %s é;&"


def written(path, content):
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def test_no_configured_text_is_a_plain_parameter():
    plain = re.compile(
        r"^ +\w+=(?:definitions|json\.|RUN\S*(?:canonical|question)\(\))", re.MULTILINE
    )
    for path in sorted((ROOT / "rules").glob("*.smk")):
        assert not plain.findall(path.read_text(encoding="utf-8")), path


@pytest.mark.workflow
def test_braces_in_texts_are_text_in_the_report_and_the_crate(finished, tmp_path):
    run = finished.copy(tmp_path / "copy")
    path = run.folder / "config/samples/tiny.yaml"
    told = {"title": TEXT, "description": TEXT, "reference": TEXT}
    written(path, yaml.safe_load(path.read_text()) | told)
    extra = "my {run} {sample}.yaml"
    downloads = {"contact": "{sample} {C} %s $HOME", "store": "data/{sample} {B}"}
    written(run.folder / extra, {"downloads": downloads})
    run.snakemake("--configfile", extra)
    page = html.unescape((run.folder / "results/report/tiny.html").read_text())
    assert page.count(TEXT) >= 3
    assert TEXT in html.unescape((run.folder / "results/report.html").read_text())
    used = json.loads((run.folder / "results/workflow/configuration.json").read_text())
    assert {key: used["samples"]["tiny"][key] for key in told} == told
    assert used["run"]["downloads"].items() >= downloads.items()
    assert (run.folder / "results/workflow" / extra).is_file()


@pytest.mark.workflow
def test_braces_in_paths_and_column_names_are_text(finished, tmp_path):
    run = finished.copy(tmp_path / "copy")
    sample = yaml.safe_load((run.folder / "config/samples/tiny.yaml").read_text())
    table = read_parquet(run.folder / sample["source"]["path"])
    theirs = {name: f"{name} {{sample}} {{A}} %s" for name in table.column_names}
    source = run.folder / f"{PATH}.csv"
    source.parent.mkdir()
    table.to_pandas().rename(columns=theirs).to_csv(source, index=False)
    sample["source"] |= {"path": f"{PATH}.csv", "columns": theirs, "format": "csv"}
    written(run.folder / "config/samples/braces.yaml", sample)
    made = "results/braces/catalogue/catalogue.parquet"
    run.snakemake("--config", "samples=[braces]", "--", made)
    assert read_parquet(run.folder / made).num_rows == table.num_rows
    record = (run.folder / "results/provenance/import_catalogue/braces.json").read_text()
    assert f"{PATH}.csv" in [*texts(json.loads(record))]
    source.write_text(source.read_text() + "\n")
    assert run.planned("--config", "samples=[braces]", "--", made) == {"import_catalogue": 1}


def texts(value):
    """Yield every text in a value read from JSON."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value
