"""A page for each rule: what its script says of itself, and what the workflow gives it.

The rules are those of rules/*.smk, in the order in which the Snakefile includes them. One rule is
one script, whose docstring is the page.
"""

import ast
import itertools
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from docstrings import as_restructured_text
from generated import heading, summary, table, write_pages

ROOT = Path(__file__).parents[2]
_INCLUDE = re.compile(r'^include: "rules/(\w+)\.smk"', re.MULTILINE)
_RULE = re.compile(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_KEYWORD = re.compile(r"^    (\w+):(.*(?:\n(?: {8}.*)?(?=\n|\Z))*)", re.MULTILINE)
_SECTION = re.compile(r"^(Input|Inputs|Output|Outputs|Parameters|Params|Resources)$")
_ENTRY = re.compile(r"^([a-z][\w, ]*?)(?: : (.*))?$")
HIDDEN = {"message", "script"}  # said elsewhere


@dataclass(frozen=True)
class Rule:
    """A rule as its file has it, keyword by keyword."""

    name: str
    file: str
    keywords: dict[str, str]
    docstring: str


def read_stages() -> dict[str, tuple[str, list[Rule]]]:
    """Return, by stage, its first comment and its rules."""
    stages: dict[str, tuple[str, list[Rule]]] = {}
    for stem in _INCLUDE.findall((ROOT / "Snakefile").read_text(encoding="utf-8")):
        text = (ROOT / f"rules/{stem}.smk").read_text(encoding="utf-8")
        rules = [_rule(name, stem, body) for name, body in _RULE.findall(text)]
        if rules:
            lines = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
            first = " ".join(line.lstrip("# ") for line in lines)
            stage, _, comment = first.rstrip(".").partition(": ")
            stages.setdefault(stage, (comment, []))[1].extend(rules)
    return stages


def _rule(name: str, stem: str, body: str) -> Rule:
    script = ast.parse((ROOT / f"scripts/{name}.py").read_text(encoding="utf-8"))
    docstring = ast.get_docstring(script)
    if not docstring:
        raise ValueError(f"scripts/{name}.py has no docstring: it is the page of the rule")
    keywords = {key: text.rstrip() for key, text in _KEYWORD.findall(body)}
    return Rule(name, f"rules/{stem}.smk", keywords, docstring)


def page(rule: Rule, stage: str) -> str:
    """Return the page of a rule as reStructuredText."""
    called = "\n".join(
        f"{key}:{rule.keywords[key]}".replace("\n    ", "\n")
        for key in rule.keywords
        if key not in HIDDEN
    )
    return "\n\n".join(
        [
            heading(rule.name),
            definition_lists(rule.docstring),
            heading("In the workflow", "-"),
            f"Stage {stage}: ``{rule.file}``, ``scripts/{rule.name}.py``, ``logs/{rule.name}/``.",
            ".. code-block:: python\n\n" + textwrap.indent(called, "   "),
            "Functions that are named there are in ``rules/common.smk``; what all rules have alike "
            "(log, benchmark, environment, digest of the code, record) is added in "
            "``rules/whole_run.smk``. "
            "``needs(n, m, minutes=t)`` are the resources of the first attempt, twice of which are "
            "those of the second: ``mem_mb``, n and m for each MB of input, and ``runtime``, t. "
            "To run this rule again whatever Snakemake thinks:",
            f"::\n\n   snakemake --forcerun {rule.name}\n",
        ]
    )


def definition_lists(docstring: str) -> str:
    """Rewrite what scripts say of inputs, parameters and outputs as lists of definitions.

    Two layouts are in use: a heading with a line under it, and a heading with indented entries. The
    first word of an entry is the name under which the rule has it.
    """
    text, sections = [], []
    for line in as_restructured_text(docstring.splitlines()):
        if _SECTION.match(line):
            sections.append((line, []))
        elif sections:
            sections[-1][1].append(line)
        else:
            text.append(line)
    return "\n".join([*text, *(_section(*section) for section in sections)]).rstrip()


def _section(name: str, lines: list[str]) -> str:
    shown = [f".. rubric:: {name}", ""]
    body = "\n".join(line for line in lines if line.strip("-"))
    for line in textwrap.dedent(body).splitlines():
        entry = _ENTRY.match(line)
        if entry:
            shown.append(", ".join(f"``{name}``" for name in entry.group(1).split(", ")))
            shown += [f"   {entry.group(2)}"] if entry.group(2) else []
        else:
            shown.append(f"   {line.strip()}")
    return "\n".join(shown) + "\n"


def index(stages: dict[str, tuple[str, list[Rule]]]) -> str:
    """Return the page that lists the rules by stage."""
    parts = [
        heading("Rules"),
        "One rule is one script. The stages are in the order in which data pass through them.",
    ]
    for stage, (comment, rules) in stages.items():
        rows = [(f":doc:`{rule.name}`", summary(rule.docstring)) for rule in rules]
        names = "\n".join(f"   {rule.name}" for rule in rules)
        parts += [
            heading(stage, "-"),
            f"{comment[:1].upper()}{comment[1:]}.",
            table(rows, ("rule", "what it does")),
            f".. toctree::\n   :hidden:\n\n{names}",
        ]
    return "\n\n".join(parts) + "\n"


def write_rule_pages(app, config) -> None:
    """Write the pages before Sphinx looks for its sources."""
    stages = read_stages()
    pages = {
        f"{rule.name}.rst": page(rule, stage.split(",")[0])
        for stage, (_, rules) in stages.items()
        for rule in rules
    }
    write_pages(Path(app.srcdir) / "generated/rules", {"index.rst": index(stages), **pages})


def setup(app):
    """Take part in a build."""
    app.connect("config-inited", write_rule_pages)
    return {"parallel_read_safe": True}
