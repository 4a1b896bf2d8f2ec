"""Build the report: one HTML page that holds every figure, table and convention of a run.

The page opens from disk without a network: figures, style and script are inside it. It begins with
the best model of each sample and task, follows each sample from its source to its scores, and ends
with how all of it was made. Which files it shows, and in which order, is decided in
`sdssflow.report.contents` alone, so that the rule's input and the page can't disagree.

Inputs
------
contents : list of paths
    What `sdssflow.report.contents.contents` lists, in that order.
predictions : list of predictions.parquet, may be empty
    Only their metadata is read: devices, versions and digests of test parts. Scores that quote
    another test part than the predictions beside them are refused.

Parameters
----------
run : canonical JSON of the run's configuration
samples : JSON object, name of a sample to its definition

Outputs
-------
report : one HTML file
    Equal inputs give equal bytes: no clock, no host, no absolute path.
"""

import json
import logging
from typing import Any

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.files import write_text
from sdssflow.logs import run
from sdssflow.report.contents import contents, matched
from sdssflow.report.page import render
from sdssflow.report.provenance import read_model_run
from sdssflow.report.story import tell


def main(snakemake: Any) -> None:
    configuration = RunConfiguration.from_canonical(snakemake.params.run)
    samples = {
        name: Sample.model_validate(definition)
        for name, definition in json.loads(snakemake.params.samples).items()
    }
    items = matched(contents(configuration, samples), list(snakemake.input.contents))
    model_runs = [read_model_run(path) for path in snakemake.input.get("predictions", [])]
    headlines, sections = tell(items, configuration, samples, model_runs)
    page = render(headlines, sections, configuration, samples, model_runs)
    write_text(snakemake.output.report, page)
    logging.info("%d figures and tables, %.1f MB", len(items), len(page) / 1e6)


if "snakemake" in globals():
    run(main, snakemake)
