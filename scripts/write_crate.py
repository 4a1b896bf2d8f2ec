"""Describe the run for other programs and for publication: a Workflow Run RO-Crate.

Walks back from the report through the records of the jobs, so the crate names what this run made
and nothing that an earlier configuration left. The results must be what their records say: a file
that was changed by hand since is an error. Results without record are named in the log.

Inputs
------
report : report.html
estimates : of each target what is made last, beside the report

Parameters
----------
run : canonical JSON of the run's configuration
samples, targets : JSON objects, name of a sample or target to its definition
configuration : list of paths
    Configuration files of the run, definitions of its samples and targets.

Outputs
-------
crate : ro-crate-metadata.json
workflow : folder
    A copy of the workflow, and the configuration as it was used (configuration.json).
"""

import json
from pathlib import Path
from typing import Any

import yaml

from sdssflow.files import write_json
from sdssflow.logs import logger, run
from sdssflow.provenance.crate import build_crate, check
from sdssflow.provenance.lineage import walk_back
from sdssflow.provenance.workflow_copy import copy_workflow


def main(snakemake: Any) -> None:
    root = Path(snakemake.scriptdir).parent
    report = str(snakemake.input.report)
    lineage = walk_back(report, *map(str, snakemake.input.estimates))
    check(lineage)
    for path in lineage.unrecorded:
        logger.warning("%s: no record says how it was made; the crate can't either", path)
    used = {name: json.loads(snakemake.params[name]) for name in ("run", "samples", "targets")}
    copied = copy_workflow(
        root,
        snakemake.output.workflow,
        snakemake.params.configuration,
        json.dumps(used, indent=2, sort_keys=True) + "\n",
    )
    citation = root / "CITATION.cff"
    about = yaml.safe_load(citation.read_text(encoding="utf-8")) if citation.is_file() else {}
    write_json(snakemake.output.crate, build_crate(lineage, report, root, copied, about))
    logger.info("%d jobs, %d sources", len(lineage.records), len(lineage.sources))


if "snakemake" in globals():
    run(main, snakemake)
