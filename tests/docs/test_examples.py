"""Commands and configuration that the documentation shows are ones that exist.

Its Python is executed in tests/workflow/test_documentation.py, on a finished run.
"""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter
from snakemake.cli import get_argument_parser

from sdssflow import command
from sdssflow.configuration.loading import load_run
from sdssflow.configuration.published import PublishedNumber
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.sources import Source
from sdssflow.configuration.targets import Target
from tests.docs.markdown import ROOT, blocks, commands, name, pages

PAGES = pages()
YAML = [block for page in PAGES for block in blocks(page, "yaml")]
# README.md of profiles says of this block that there is nothing here to run it on
OTHER_EXECUTORS = ("kubernetes",)
_ASSIGNMENT = re.compile(r"^\w+=\S*$")


def rules():
    texts = [path.read_text() for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]]
    return set(re.findall(r"^rule (\w+):", "\n".join(texts), re.MULTILINE))


def programs(page):
    """Yield (program, arguments) of what looks like a command of this project."""
    for line in commands(page):
        try:
            words = shlex.split(line.rstrip("\\"))
        except ValueError:
            continue  # text with a quotation mark
        while words and _ASSIGNMENT.match(words[0]):
            words.pop(0)
        if words:
            yield Path(words[0]).name, words[1:]


def placeholder(word):
    return word.isupper() or "NAME" in word or "MYSITE" in word or "/X" in word or "…" in word


def check_snakemake(arguments):
    if any(placeholder(word) for word in arguments):
        return ""
    parser = get_argument_parser()
    try:
        known, unknown = parser.parse_known_args(arguments)
    except SystemExit as ended:
        return "not understood by Snakemake" if ended.code else ""  # --version, --help
    if unknown:
        return f"unknown options {unknown}"
    asked = {*(known.targets or []), *(known.forcerun or [])}
    absent = {word for word in asked if word not in rules() and "/" not in word}
    return f"no such rules: {sorted(absent)}" if absent else ""


def check_sdssflow(arguments):
    if not arguments or placeholder(arguments[0]) or arguments[0] in ("--help", "--version"):
        return ""
    if arguments[0] not in command.COMMANDS:
        return f"sdssflow has no {arguments[0]}"
    return check_snakemake(arguments[1:]) if arguments[0] in ("run", "plan", "published") else ""


def check_make(arguments):
    makefile = (ROOT / "Makefile").read_text()
    for word in arguments:
        named, equals, _ = word.partition("=")
        pattern = rf"^{named} \?=" if equals else rf"^{named}:"
        if not word.startswith(".venv/.") and not re.search(pattern, makefile, re.MULTILINE):
            return f"the Makefile has no {named}"
    return ""


def check_python(arguments):
    if arguments[:1] == ["-m"] and len(arguments) > 1:
        root, module = arguments[1].split(".")[0], arguments[1].replace(".", "/")
        folder = {"tests": ROOT}.get(root, ROOT / "scripts")
        if not (folder / root).is_dir():
            return ""  # pip, venv
        paths = [folder / f"{module}.py", folder / module / "__main__.py"]
        runs = [p for p in paths if p.is_file() and "__main__" in p.read_text() + p.name]
        return "" if runs else f"{arguments[1]} can't be run as a program"
    if arguments and arguments[0].endswith(".py"):
        return "" if (ROOT / arguments[0]).is_file() else f"there is no {arguments[0]}"
    return ""


def check_pytest(arguments):
    paths = [word for word in arguments if word.startswith("tests/")]
    absent = [path for path in paths if not (ROOT / path.split("::")[0]).exists()]
    return f"there is no {absent}" if absent else ""


CHECKS = {
    "snakemake": check_snakemake,
    "make": check_make,
    "sdssflow": check_sdssflow,
    "python": check_python,
    "pytest": check_pytest,
}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_ones_that_exist(page):
    problems = [
        f"{program} {' '.join(arguments)}: {problem}"
        for program, arguments in programs(page)
        if program in CHECKS and (problem := CHECKS[program](arguments))
    ]
    assert not problems


def test_enough_commands_are_seen():
    seen = [program for page in PAGES for program, _ in programs(page)]
    assert seen.count("snakemake") > 15
    assert seen.count("make") > 15
    assert seen.count("python") > 10


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("snakemake", "--forcerun score_everything"),
        ("snakemake", "--dry-runn"),
        ("make", "cofee"),
        ("make", "cluster ORPHAN=adopt"),
        ("python", "-m sdssflow.nothing"),
        ("python", "-m sdssflow.tables"),
        ("python", "benchmarks/measure_nothing.py"),
        ("pytest", "tests/nothing.py"),
    ],
)
def test_commands_that_do_not_exist_are_found(program, line):
    assert CHECKS[program](line.split())


def laid_over(base, content):
    """Merge as Snakemake merges configuration files: sections key by key, lists replace."""
    merged = dict(base)
    for key, value in content.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = laid_over(merged[key], value) if both else value
    return merged


def options():
    """Return the long options of Snakemake, which are the keys of a profile."""
    return {
        option.lstrip("-")
        for action in get_argument_parser()._actions
        for option in action.option_strings
    }


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.name)
def test_yaml_is_a_run_a_sample_a_target_a_published_number_or_a_profile(block):
    content = yaml.safe_load(block.text)
    if set(content) <= set(RunConfiguration.model_fields):
        base = yaml.safe_load((ROOT / "config/config.yaml").read_text())
        load_run(laid_over(base, content))
    elif set(content) <= set(PublishedNumber.model_fields):
        PublishedNumber.model_validate(content)
    elif "models" in content:
        Target.model_validate(content)
    elif set(content) <= set(Sample.model_fields):
        base = yaml.safe_load((ROOT / "config/samples/mgs.yaml").read_text())
        if set(content) == {"source"}:
            TypeAdapter(Source).validate_python(content["source"])
        else:
            cuts = {"cuts": []} if "source" in content else {}
            Sample.model_validate({**base, **cuts, **content})
    else:
        assert set(content) <= options(), f"{block.name}: nothing that this project reads"
        if content.get("executor") not in OTHER_EXECUTORS:
            assert set(content.get("set-resources", {})) <= rules()
