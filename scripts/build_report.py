"""Build the report: an index, a page for each sample, cards and LaTeX tables.

The pages open from disk without a network: they include figures, style and script. The index starts
with the main results and a figure of each sample, and ends with how they were made; each sample's
page goes from its scores back to its source; a target's page shows the estimates for objects
without spectra. Only `sdssflow.report.figures` decides which files they show, so the rule's input
and the pages agree. One job writes pages, cards and LaTeX from the same tables, read once.

Inputs
------
contents : list of paths
    What `sdssflow.report.figures.contents` lists, in that order.
predictions : list of predictions.parquet, may be empty
    Devices, versions and digests of test parts; the objects of the interactive charts. Scores of
    another test part than the predictions are refused.
pdfs : list of pdfs.hdf5, may be empty
    The p(z) of the objects of the interactive charts; each file is next to its predictions.
models : list of folders of trained models, may be empty
    Their cards, with settings and training data.
published : CSV and figure, may be empty
    Published numbers with ours, and their curves.
bundles : list of folders or ZIP files, may be empty
    The models applied to targets.

Parameters
----------
run : canonical JSON of the run's configuration
samples : JSON object, name of a sample to its definition
targets : JSON, for each target its name, its definition, and the path and task of each model

Outputs
-------
report : one HTML file
    The index. Equal inputs give equal bytes: no clock, no host, no absolute path.
pages : list of HTML files
    One for each sample, in the order of the run, then for each target; other pages are removed.
cards : list of folders
    For each sample: data_sheet.md, and TASK_SPLIT_MODEL.md of each best model.
tables : list of folders
    For each sample: the tables of its page as LaTeX.
"""

import json
import logging
from pathlib import Path
from typing import Any

from sdssflow.configuration.applying import Estimated
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.targets import Target, read_manifest
from sdssflow.files import write_text
from sdssflow.logs import run
from sdssflow.report.cards import markdown
from sdssflow.report.figures import contents, matched
from sdssflow.report.latex import latex
from sdssflow.report.pages import concepts_section, sample_page, tables_of
from sdssflow.report.provenance import Provenance, read_model_run, read_training
from sdssflow.report.published_numbers import published_section
from sdssflow.report.rendering import Places, render_index, render_page
from sdssflow.report.targets import target_page


def main(snakemake: Any) -> None:
    configuration = RunConfiguration.from_canonical(snakemake.params.run)
    samples = {
        name: Sample.model_validate(definition)
        for name, definition in json.loads(snakemake.params.samples).items()
    }
    estimated = {
        name: Estimated(Target.model_validate(target), models, tasks)
        for name, target, models, tasks in json.loads(snakemake.params.targets)
    }
    applied = {path: path for its in estimated.values() for path in its.models}
    applied = dict(zip(applied, snakemake.input.get("bundles", []), strict=True))
    items = contents(configuration, samples, targets=estimated)
    items = matched(items, list(snakemake.input.contents))
    provenance = Provenance(
        [read_model_run(path) for path in snakemake.input.get("predictions", [])],
        [read_training(folder) for folder in snakemake.input.get("models", [])],
        list(snakemake.input.get("pdfs", [])),
    )
    names = configuration.samples
    places = Places(
        str(snakemake.output.report),
        dict(zip([*names, *estimated], map(str, snakemake.output.pages), strict=True)),
        dict(zip(names, map(str, snakemake.output.tables), strict=True)),
        dict(zip(names, map(str, snakemake.output.cards), strict=True)),
    )
    concepts = concepts_section(items)
    given = list(snakemake.input.get("published", []))
    published = [published_section(*given)] if given else []
    pages = [sample_page(name, items, configuration, samples[name], provenance) for name in names]
    targets = [
        target_page(name, items, its, [read_manifest(applied[path]) for path in its.models])
        for name, its in estimated.items()
    ]
    for page in pages:
        for card in [page.sheet, *page.cards]:
            write_text(Path(places.cards[page.name]) / card.exported, markdown(card))
        for table in tables_of(page):
            path = Path(places.tables[page.name]) / table.exported
            write_text(path, latex(table, f"{page.name}:{path.stem}"))
    for page in [*pages, *targets]:
        html = render_page(page, pages, targets, places)
        write_text(places.pages[page.name], html)
        logging.info("%s: %.1f MB", page.name, len(html) / 1e6)
    index = render_index(
        pages,
        concepts,
        published,
        configuration,
        samples,
        provenance.model_runs,
        places,
        targets,
        estimated,
    )
    write_text(places.index, index)
    remove_others([*places.pages.values()])
    logging.info("%d figures and tables; index %.1f MB", len(items), len(index) / 1e6)


def remove_others(pages: list[str]) -> None:
    """Remove pages of samples that the run has no more: they would pass for its own."""
    for path in Path(pages[0]).parent.glob("*.html"):
        if path.name not in {Path(page).name for page in pages}:
            logging.info("removing %s: the run has no such sample or target any more", path)
            path.unlink()


if "snakemake" in globals():
    run(main, snakemake)
