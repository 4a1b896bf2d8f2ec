"""Render the HTML pages: the index, and one page for each sample and target."""

from __future__ import annotations

import base64
import gzip
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup, escape

from sdssflow.configuration.applying import Estimated
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.targets import Target
from sdssflow.evaluate.paper_metrics import of_conventions
from sdssflow.report.glossary import BETTER, CLASSES, DENSITIES, REDSHIFTS, SYMBOLS, TASKS, Metric
from sdssflow.report.model_figures import pdf_models
from sdssflow.report.pages import SamplePage
from sdssflow.report.provenance import ModelRun, device_table, digest_table, versions_table
from sdssflow.report.sections import Section, Table, text_cell, word_columns
from sdssflow.report.targets import TargetPage

TEMPLATES = Path(__file__).parent / "templates"
LIBRARY = ("charts.LICENSE", "d3.min.js", "plot.min.js")
BELOW = re.compile(  # names of scores only: models, splits and columns have underscores too
    r"(?<!\w)(σ|outliers|conformal|coverage|width)_(NMAD|IQR|clipped|[\d.]*\dσ?)"
)


@dataclass(frozen=True)
class Places:
    """Paths of the index, of each page and, by sample, of the folders of LaTeX tables and cards.

    Links are relative, from page to file.
    """

    index: str
    pages: dict[str, str]
    tables: dict[str, str]
    cards: dict[str, str]


def render_index(
    pages: list[SamplePage],
    concepts: Section,
    published: list[Section],
    run: RunConfiguration,
    samples: dict[str, Sample],
    model_runs: list[ModelRun],
    places: Places,
    targets: list[TargetPage],
    estimated: dict[str, Estimated],
) -> str:
    """Return the index: the best model of each sample, and how the results were made.

    It needs no network, and equal arguments give equal bytes: no dates, no absolute paths.
    """
    return _render(
        places.index,
        "index.html.j2",
        current="",
        places=places,
        pages=pages,
        targets=targets,
        concepts=concepts,
        published=published,
        run=run,
        settings=_settings_tables(run),
        devices=device_table(model_runs),
        versions=versions_table(model_runs),
        digests=digest_table(model_runs),
        symbols=SYMBOLS,
        glossary=_glossary(run, samples),
        configuration=[
            ("Run", _yaml(run)),
            *((f"Sample {name}", _yaml(samples[name])) for name in run.samples),
            *((f"Target {name}", _yaml(its.target)) for name, its in estimated.items()),
        ],
    )


def render_page(
    page: SamplePage | TargetPage,
    pages: list[SamplePage],
    targets: list[TargetPage],
    places: Places,
) -> str:
    """Return the page of one sample or target, with links to `pages` and `targets`."""
    return _render(
        places.pages[page.name],
        "target.html.j2" if isinstance(page, TargetPage) else "sample.html.j2",
        current=page.name,
        places=places,
        page=page,
        pages=pages,
        targets=targets,
    )


def render_comparison(address: str, reports: dict[str, str], sections: list[Section]) -> str:
    """Return the comparison of two runs; `reports` has the index of each report by name."""
    return _render(address, "compare.html.j2", names=[*reports], reports=reports, sections=sections)


def _render(address: str, template: str, **shown: Any) -> str:
    """Fill a template, with links from the page at `address`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = Path(address).parent
    environment.filters |= {
        "sentence": _sentence,
        "prose": _prose,
        "link": lambda path: Path(os.path.relpath(path, folder)).as_posix(),
    }
    environment.tests["table"] = lambda block: isinstance(block, Table)
    environment.globals["library"] = library
    return environment.get_template(template).render(**shown)


@cache
def library() -> str:
    """Return the unmodified charting library with its licence, as base64 of gzip."""
    licence, *programs = ((TEMPLATES / name).read_text(encoding="utf-8") for name in LIBRARY)
    text = "\n".join((f"/*\n{licence}*/", *programs))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


def _settings_tables(run: RunConfiguration) -> list[Table]:
    """Return tables of the settings of the classifiers and of the regressors."""
    found = []
    for title, known in (("Classifiers", run.classifiers), ("Regressors", run.regressors)):
        rows = []
        for name, settings in known.items():
            values = settings.model_dump(mode="json", exclude={"kind"})
            text = ", ".join(f"{key} = {_value(value)}" for key, value in values.items())
            rows.append([text_cell(name), text_cell(settings.kind), text_cell(text or "none")])
        if rows:
            found.append(
                Table(title, "Models of the run.", word_columns("model", "kind", "settings"), rows)
            )
    return found


def _prose(text: str) -> Markup:
    """Set names of scores with subscripts, as in sigma_NMAD."""
    return Markup(BELOW.sub(r"\1<sub>\2</sub>", str(escape(text))))


def _sentence(text: str) -> str:
    """End a title or note with a full stop, unless it already ends a sentence."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return "default" if value is None else str(value)


def _glossary(
    run: RunConfiguration, samples: dict[str, Sample]
) -> list[tuple[str, list[tuple[Metric, str]]]]:
    """Return, by title of each task, its metrics and which values are better."""
    tasks: set[str] = {task for name in run.samples for task in samples[name].tasks}
    if any(pdf_models(run, samples[name]) for name in run.samples):
        tasks.add("pdf")
    known = {
        "classify": CLASSES.values(),
        "regress": [*REDSHIFTS.values(), *of_conventions(run.redshift_scores.conventions)],
        "pdf": DENSITIES.values(),
    }
    return [
        (title, [(metric, BETTER.get(metric.better, "")) for metric in known[task]])
        for task, title in TASKS.items()
        if task in tasks
    ]


def _yaml(settings: RunConfiguration | Sample | Target) -> str:
    """Return settings as YAML, including defaults."""
    content = settings.model_dump(mode="json")
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=88)
