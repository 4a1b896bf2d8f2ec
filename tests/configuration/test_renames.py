"""Keys of the configuration by the names that they had before."""

import json
from pathlib import Path
from typing import Annotated, Literal

import jsonschema
import pytest
import yaml
from pydantic import Field

import sdssflow
from sdssflow.configuration import documents
from sdssflow.configuration.loading import load_section
from sdssflow.configuration.reading import ConfigurationError, overlaid, parse
from sdssflow.configuration.renames import old_names, use_present_names
from sdssflow.configuration.section import Renamed, Section
from sdssflow.configuration.targets import Target

ROOT = Path(__file__).parents[2]
TARGET = (ROOT / "config/targets/mockphoto.yaml").read_text()


class Forest(Section):
    kind: Literal["forest"]
    trees: Annotated[int, Field(ge=1), Renamed("estimators", until="9.1")] = 10


class Network(Section):
    kind: Literal["network"]
    estimators: int = 1


class Run(Section):
    models: Annotated[
        dict[str, Annotated[Forest | Network, Field(discriminator="kind")]],
        Renamed("regressors", until="9.0"),
    ]
    steps: list[Forest] | None = None


def present(text):
    document = parse(text, "run.yaml")
    use_present_names(Run, document)
    return document


def test_the_old_name_of_a_key_of_targets_is_read_with_a_warning(tmp_path, caplog):
    path = tmp_path / "mine.yaml"
    path.write_text(f"{TARGET}\nexplorer_rows: 2000\n")
    line = path.read_text().splitlines().index("explorer_rows: 2000") + 1
    target = load_section(Target, path)
    path.write_text(f"{TARGET}\nfigure_rows: 2000\n")
    assert target == load_section(Target, path)
    assert caplog.messages == [
        f"{path}, line {line}: explorer_rows is now called figure_rows; use that name, version 0.2 "
        "will no longer read the old one"
    ]


def test_both_names_are_refused_and_a_mistake_names_the_line_of_the_old_one(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("figure_rows: 2000\nexplorer_rows: 2000\n")
    with pytest.raises(ConfigurationError, match="line 2: explorer_rows: the old name of figure_r"):
        load_section(Target, path)
    path.write_text(f"explorer_rows: 5\n{TARGET}")
    with pytest.raises(ConfigurationError, match="line 1: figure_rows: .* than or equal to 1000"):
        load_section(Target, path)


def test_names_are_those_of_the_section_that_has_them(caplog):
    text = """
    regressors:
      estimators: {kind: forest, estimators: 3}
      network: {kind: network, estimators: 4}
    steps: [{kind: forest}, {kind: forest, estimators: 5}]
    """
    document = present(text)
    assert document.content == {
        "models": {
            "estimators": {"kind": "forest", "trees": 3},
            "network": {"kind": "network", "estimators": 4},
        },
        "steps": [{"kind": "forest"}, {"kind": "forest", "trees": 5}],
    }
    assert [message.partition(" is ")[0] for message in caplog.messages] == [
        "run.yaml, line 2: regressors",
        "run.yaml, line 3: models.estimators.estimators",
        "run.yaml, line 5: steps.1.estimators",
    ]
    assert document.where(("models", "estimators", "trees")) == "run.yaml, line 3"
    Run.model_validate(document.content)


def test_an_old_name_in_one_file_overrides_the_present_one_in_another():
    layers = [
        present("models: {a: {kind: forest, trees: 1}}"),
        present("regressors: {a: {kind: forest, estimators: 2}}"),
    ]
    assert overlaid(layers) == {"models": {"a": {"kind": "forest", "trees": 2}}}


def test_the_schema_takes_either_name_and_not_both():
    schema = jsonschema.Draft202012Validator(
        json.loads((ROOT / "config/schemas/target.schema.json").read_text())
    )
    content = yaml.safe_load(TARGET)
    assert schema.is_valid(content | {"explorer_rows": 2000})
    assert not schema.is_valid(content | {"explorer_rows": 5})
    assert not schema.is_valid(content | {"explorer_rows": 2000, "figure_rows": 2000})
    assert schema.schema["properties"]["explorer_rows"]["deprecated"] is True


def test_no_old_name_is_read_by_the_version_that_should_not():
    def numbers(version):
        return tuple(map(int, version.split(".")))

    found = {}
    for model in documents._models().values():
        if model.__module__.startswith("sdssflow."):
            found |= old_names(model)
    assert found
    for old, (_, renamed) in found.items():
        assert numbers(sdssflow.__version__) < numbers(renamed.until), f"take {old} out"
