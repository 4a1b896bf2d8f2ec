"""HTML: an index and one page for each sample."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup, escape

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.evaluate.paper_metrics import of_conventions
from sdssflow.report.figures import pdf_models
from sdssflow.report.glossary import BETTER, CLASSES, DENSITIES, REDSHIFTS, SYMBOLS, Metric
from sdssflow.report.objects import Residuals
from sdssflow.report.pages import SamplePage
from sdssflow.report.provenance import ModelRun, versions
from sdssflow.report.sections import Section
from sdssflow.report.summary import DENSITIES_TITLE, TASKS
from sdssflow.report.tables import Cell, Column, Table, text_cell, word_columns

TEMPLATES = Path(__file__).parent / "templates"
BELOW = re.compile(r"(?<![A-Za-z0-9])([σδ]|outliers|conformal|width)_([A-Za-z0-9.]+)")


@dataclass(frozen=True)
class Places:
    """Where the pages and the files that they link to are; links are relative, from page to file.

    Attributes
    ----------
    index : str
        The page of all samples.
    pages, tables, cards : dict of str to str
        By sample: its page, the folder of its LaTeX tables, that of its cards.
    """

    index: str
    pages: dict[str, str]
    tables: dict[str, str]
    cards: dict[str, str]


def render_index(
    pages: list[SamplePage],
    concepts: Section,
    published: list[Table],
    run: RunConfiguration,
    samples: dict[str, Sample],
    model_runs: list[ModelRun],
    places: Places,
) -> str:
    """Return the page of all samples: the best of each, and how all of it was made.

    It asks nothing of the network, and equal arguments give equal bytes: no clock, no paths of
    this machine.
    """
    return (
        _environment(places.index)
        .get_template("index.html.j2")
        .render(
            current="",
            places=places,
            pages=pages,
            concepts=concepts,
            published=published,
            run=run,
            settings=settings_tables(run),
            devices=device_table(model_runs),
            versions=versions_table(model_runs),
            digests=digest_table(model_runs),
            symbols=SYMBOLS,
            glossary=_glossary(run, samples),
            configuration=_configuration(run, samples),
        )
    )


def render_sample(
    page: SamplePage, pages: list[SamplePage], run: RunConfiguration, places: Places
) -> str:
    """Return the page of one sample; `pages` are those it links to."""
    return (
        _environment(places.pages[page.name])
        .get_template("sample.html.j2")
        .render(
            current=page.name,
            places=places,
            page=page,
            pages=pages,
            run=run,
        )
    )


def _environment(page: str) -> jinja2.Environment:
    """Return the templates, with links from `page`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = Path(page).parent
    environment.filters |= {
        "subscript": _subscript,
        "sentence": _sentence,
        "prose": _prose,
        "link": lambda path: Path(os.path.relpath(path, folder)).as_posix(),
    }
    environment.tests["table"] = lambda block: isinstance(block, Table)
    environment.tests["residuals"] = lambda block: isinstance(block, Residuals)
    return environment


def settings_tables(run: RunConfiguration) -> list[Table]:
    """Return a table of the settings of the classifiers and one of the regressors."""
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


def device_table(model_runs: list[ModelRun]) -> Table | None:
    """Return where each model was trained, as its cards say; None if there are none."""
    seen: dict[tuple[str, ...], list[str]] = {}
    for model_run in model_runs:
        for seed, card in model_run.cards.items():
            place = (
                model_run.sample,
                TASKS[model_run.task],
                model_run.split,
                model_run.model,
                str(card.get("device", "unknown")),
                str(card.get("dtype", "unknown")),
            )
            seen.setdefault(place, []).append(seed)
    rows = [[*map(text_cell, place), text_cell(", ".join(seeds))] for place, seeds in seen.items()]
    columns = word_columns("sample", "task", "split", "model", "device", "precision", "seeds")
    text = "From the cards of the trained models."
    return (
        Table("Where the models were trained", text, columns, rows, folded=True) if rows else None
    )


def versions_table(model_runs: list[ModelRun]) -> Table | None:
    """Return the package versions that the models' cards name; None if there are none."""
    rows = [
        [text_cell(package), text_cell(", ".join(found))]
        for package, found in versions(model_runs).items()
    ]
    text = "From the cards of the trained models. Several versions: not all were trained alike."
    return Table("Versions", text, word_columns("package", "version"), rows) if rows else None


def digest_table(model_runs: list[ModelRun]) -> Table | None:
    """Return the digest of every test part; None if there are none."""
    seen: dict[tuple[str, str, str], str] = {}
    for model_run in model_runs:
        for seed, digest in model_run.digests.items():
            seen[(model_run.sample, model_run.split, seed)] = digest
    rows = [
        [*map(text_cell, (sample, split)), Cell(seed, sort=seed), text_cell(digest)]
        for (sample, split, seed), digest in seen.items()
    ]
    columns = [*word_columns("sample", "split"), Column("seed"), *word_columns("test digest")]
    text = (
        "First 12 hexadecimal digits of the SHA-256 of each test part: equal digests, equal "
        "objects and features."
    )
    return Table("Test parts", text, columns, rows, folded=True) if rows else None


def _subscript(text: str) -> Markup:
    """Set what follows an underscore below the line, as in sigma_NMAD."""
    base, _, below = text.partition("_")
    return Markup("{}<sub>{}</sub>").format(base, below) if below else escape(text)


def _prose(text: str) -> Markup:
    """Set the names of scores within a sentence as heads of tables set them."""
    return Markup(BELOW.sub(r"\1<sub>\2</sub>", str(escape(text))))


def _sentence(text: str) -> str:
    """End a title or note with a full stop, unless it ends a sentence already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return "default" if value is None else str(value)


def _glossary(
    run: RunConfiguration, samples: dict[str, Sample]
) -> list[tuple[str, list[tuple[Metric, str]]]]:
    tasks = {task for name in run.samples for task in samples[name].tasks}
    redshifts = [*REDSHIFTS.values(), *of_conventions(run.redshift_scores.conventions)]
    shown = [
        (TASKS[task], known)
        for task, known in (("classify", list(CLASSES.values())), ("regress", redshifts))
        if task in tasks
    ]
    if any(pdf_models(run, samples[name]) for name in run.samples):
        shown.append((DENSITIES_TITLE, list(DENSITIES.values())))
    return [
        (title, [(metric, BETTER.get(metric.better, "")) for metric in known])
        for title, known in shown
    ]


def _configuration(run: RunConfiguration, samples: dict[str, Sample]) -> list[tuple[str, str]]:
    """Return the run and its samples as YAML, every default written out."""
    texts = [("Run", _yaml(run.model_dump(mode="json")))]
    texts += [
        (f"Sample {name}", _yaml(samples[name].model_dump(mode="json"))) for name in run.samples
    ]
    return texts


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=88)
