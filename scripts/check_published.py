"""Compare the scores of this run with published numbers.

Each entry of `config/published/` names a number, its convention and our counterparts;
`sdssflow.evaluate.published` says when a number counts as reproduced. What this run does not have
is listed too, with what would make it.

Input
    scores : score tables of the samples that entries are compared with; may be none
Parameters
    numbers : JSON object, name of an entry to its definition
    tables : [sample, task, split] of each input, in their order
    reasons : JSON object, name of a sample to why this run does not have it
Output
    published : CSV, a row for each comparison of each entry
"""

import json
import logging

from sdssflow.configuration.published import PublishedNumber
from sdssflow.evaluate.published import VERDICTS, check_numbers
from sdssflow.logs import run
from sdssflow.tables import read_csv, write_csv


def main(snakemake):
    numbers = {
        name: PublishedNumber.model_validate(definition)
        for name, definition in json.loads(snakemake.params.numbers).items()
    }
    keys = [tuple(key) for key in json.loads(snakemake.params.tables)]
    paths = list(snakemake.input.get("scores", []))
    tables = {key: read_csv(path) for key, path in zip(keys, paths, strict=True)}
    table = check_numbers(numbers, tables, json.loads(snakemake.params.reasons))
    write_csv(table, snakemake.output.published)
    counts = table["verdict"].value_counts()
    for verdict in VERDICTS:
        logging.info("%s: %d", verdict, counts.get(verdict, 0))


if "snakemake" in globals():
    run(main, snakemake)
