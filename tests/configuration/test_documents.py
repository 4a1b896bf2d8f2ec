import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from sdssflow.configuration import documents
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample

ROOT = Path(__file__).parents[2]
SAMPLE_FILES = sorted((ROOT / "config/samples").glob("*.yaml"))
SCHEMAS = {name: documents.json_schema(model) for name, (model, _) in documents.MODELS.items()}


def validator(name):
    schema = json.loads((ROOT / f"config/schemas/{name}.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema)


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def described_keys(schema):
    nodes = [("", schema), *schema.get("$defs", {}).items()]
    for where, node in nodes:
        for key, value in node.get("properties", {}).items():
            yield f"{where}.{key}", value


def test_generated_files_are_up_to_date():
    stale = documents.drifted(ROOT, documents.documents())
    assert not stale, f"out of date: {stale}; run {documents.COMMAND}"


def test_check_fails_and_says_what_to_run_then_writing_mends_it(tmp_path, capsys):
    assert documents.main(["--check"], root=tmp_path) == 1
    assert documents.COMMAND in capsys.readouterr().err
    assert documents.main([], root=tmp_path) == 0
    assert documents.main(["--check"], root=tmp_path) == 0
    page = tmp_path / "docs/configuration.md"
    page.write_text(page.read_text() + "by hand\n")
    assert documents.main(["--check"], root=tmp_path) == 1
    assert "docs/configuration.md" in capsys.readouterr().err


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_is_described_and_named_on_the_page(name):
    page = documents.documents()[Path("docs/configuration.md")]
    keys = dict(described_keys(SCHEMAS[name]))
    assert len(keys) > 20
    for path, key in keys.items():
        assert key.get("description", "").strip(), f"{path} has no docstring"
        assert " ".join(key["description"].split()).replace("|", "\\|") in page
        assert f"{path.rsplit('.', 1)[-1]}`" in page


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid_2020_12_and_refuse_unknown_keys_everywhere(name):
    schema = SCHEMAS[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for node in documents._nodes(schema):
        if "properties" in node or "patternProperties" in node:
            assert node["additionalProperties"] is False


def test_the_run_file_satisfies_model_and_schema():
    content = load(ROOT / "config/config.yaml")
    RunConfiguration.model_validate(content)
    validator("run").validate(content)


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)
def test_sample_files_satisfy_model_and_schema(path):
    content = load(path)
    Sample.model_validate(content)
    validator("sample").validate(content)


@pytest.mark.parametrize(
    "change",
    [
        {"seedz": [1]},
        {"seeds": []},
        {"seeds": [-1]},
        {"bootstrap": {"level": 1.0}},
        {"bootstrap": {"levels": 0.9}},
        {"figures": {"format": "jpeg"}},
        {"classifiers": {"Bad Name": {"kind": "dummy"}}},
        {"classifiers": {"forest": {"kind": "random_tree"}}},
        {"regressors": {"forest": {"kind": "random_forest", "max_features": 0}}},
    ],
    ids=str,
)
def test_schema_and_model_refuse_the_same(change):
    content = load(ROOT / "config/config.yaml") | change
    with pytest.raises(ValidationError):
        RunConfiguration.model_validate(content)
    assert not validator("run").is_valid(content)


def test_page_shows_type_default_and_limits():
    page = documents.documents()[Path("docs/configuration.md")]
    [row] = [line for line in page.splitlines() if line.startswith("| `bootstrap.replicates`")]
    assert "integer ≥ 20" in row and "`200`" in row


def test_page_tables_have_as_many_cells_as_heads():
    width = 0
    for line in documents.documents()[Path("docs/configuration.md")].splitlines():
        cells = line.replace("\\|", "").count("|")
        width = (width or cells) if line.startswith("|") else 0
        assert cells == width or not line.startswith("|"), line
