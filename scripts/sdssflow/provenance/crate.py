"""One crate per run: results, records, sources and workflow, described for other programs.

The crate is the folder ``results/`` with ``ro-crate-metadata.json``. It conforms to RO-Crate 1.1
and to the profiles Process Run, Workflow Run and Provenance Run Crate 0.5
(https://w3id.org/ro/wfrun/provenance/0.5) and Workflow RO-Crate 1.0. It names only what the records
name, walking back from the report: what an earlier configuration left in the folder is not part.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sdssflow.provenance.crate_actions import add_jobs, add_run, add_steps, rules_of
from sdssflow.provenance.crate_files import WORKFLOW, CrateFiles
from sdssflow.provenance.digests import content_of
from sdssflow.provenance.lineage import Lineage, LineageError

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
TERMS = {
    name: f"https://w3id.org/ro/terms/workflow-run#{name}" for name in ("sha256", "environment")
}
LICENSES = "https://spdx.org/licenses/"
NO_LICENSE = "not stated: there is no CITATION.cff beside the Snakefile"


def check(lineage: Lineage) -> None:
    """Check that the files on disk are what the records say.

    Raises
    ------
    LineageError
        With a line per file that is not.
    """
    troubles = list(lineage.disagreements)
    for record in lineage.records.values():
        for path, recorded in record["outputs"].items():
            if Path(path).exists() and content_of(path).sha256 != recorded["sha256"]:
                troubles.append(
                    f"{path}: has changed since {record['rule']} wrote it; "
                    f"make it again: snakemake --force {path}"
                )
    for path, recorded in lineage.sources.items():
        if Path(path).exists() and content_of(path).sha256 != recorded.sha256:
            troubles.append(
                f"{path}: has changed since it was read; put it back, or run the workflow again"
            )
    if troubles:
        raise LineageError(
            "the results are not what their records say, so no crate is written:\n"
            + "\n".join(sorted(troubles))
        )


def build_crate(
    lineage: Lineage,
    report: str,
    root: str | Path,
    copied: Iterable[str],
    citation: dict[str, Any],
) -> dict[str, Any]:
    """Describe a run.

    Parameters
    ----------
    lineage : Lineage
        What stands behind the report.
    report : str
        Path of the report.
    root : path-like
        Folder of the Snakefile.
    copied : iterable of str
        Files in ``results/workflow``, relative to it.
    citation : dict
        Content of CITATION.cff; may be empty.

    Returns
    -------
    dict
        The JSON-LD of ``ro-crate-metadata.json``. Equal records and files give equal content.
    """
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(TERMS)
    files = CrateFiles(crate, root, copied)
    files.add_workflow(_programs(lineage, citation))
    files.add_lineage(lineage)
    steps = add_steps(crate, lineage)
    run = add_run(crate, files, lineage, report, add_jobs(crate, files, lineage))
    license_entity = _license(crate, citation)
    _describe_workflow(crate, steps, lineage, license_entity)
    _describe_root(crate, lineage, run, license_entity, citation)
    return crate.metadata.generate()


def _programs(lineage: Lineage, citation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is said of the Snakefile and of the scripts of the rules that ran."""
    version = str(citation.get("version", "unknown"))
    programs: dict[str, dict[str, Any]] = {
        f"scripts/{rule}.py": {
            "@type": ["File", "SoftwareSourceCode"],
            "name": rule,
            "version": version,
        }
        for rule in rules_of(lineage)
    }
    programs["Snakefile"] = {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": citation.get("title", "Snakefile"),
        "version": version,
    }
    return programs


def _describe_workflow(crate: Any, steps: list[Any], lineage: Lineage, licence: Any) -> None:
    """Complete the main entity: the Snakefile."""
    from rocrate.model.computerlanguage import get_lang

    workflow = crate.get(f"{WORKFLOW}/Snakefile")
    workflow["programmingLanguage"] = crate.add(get_lang(crate, "snakemake"))
    workflow["conformsTo"] = {
        "@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
    }
    workflow["license"] = licence
    workflow["step"] = steps
    workflow["hasPart"] = [crate.get(f"{WORKFLOW}/scripts/{rule}.py") for rule in rules_of(lineage)]
    named = {name: crate.get(f"#parameter/{name}") for name in ("source", "configuration")}
    workflow["input"] = [entity for entity in named.values() if entity]
    workflow["output"] = crate.get("#parameter/result")


def _describe_root(
    crate: Any, lineage: Lineage, run: Any, licence: Any, citation: dict[str, Any]
) -> None:
    """Complete the root and the description of the metadata file."""
    from rocrate.model.contextentity import ContextEntity

    root = crate.root_dataset
    samples = sorted(
        {record["wildcards"].get("sample") for record in lineage.records.values()} - {None}
    )
    root["name"] = f"Results of {citation.get('title', 'a workflow')}"
    root["description"] = inspect.cleandoc(
        f"""Samples: {", ".join(samples)}. Made by {len(lineage.records)} jobs; the record of each
        is in provenance/. The licence is that of the workflow; rows of source tables keep the
        licence of their source (workflow/data/embedded)."""
    ).replace("\n", " ")
    root["datePublished"] = run["endTime"]
    root["license"] = licence
    root["mainEntity"] = crate.get(f"{WORKFLOW}/Snakefile")
    root["mentions"] = [
        entity
        for entity in crate.get_entities()
        if entity.type in ("CreateAction", "ControlAction", "OrganizeAction")
    ]
    if citation.get("keywords"):
        root["keywords"] = ", ".join(citation["keywords"])
    if cited := crate.get(f"{WORKFLOW}/CITATION.cff"):
        root["citation"] = cited
    root["conformsTo"] = [
        crate.add(
            ContextEntity(
                crate,
                identifier,
                properties={"@type": "CreativeWork", "name": name, "version": version},
            )
        )
        for identifier, (name, version) in PROFILES.items()
    ]
    crate.metadata["conformsTo"] = [
        {"@id": "https://w3id.org/ro/crate/1.1"},
        {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
    ]


def _license(crate: Any, citation: dict[str, Any]) -> Any:
    """Return the entity of the licence that CITATION.cff names, or a sentence that none is."""
    from rocrate.model.contextentity import ContextEntity

    name = citation.get("license")
    if not name:
        return NO_LICENSE
    properties = {"@type": "CreativeWork", "name": name, "url": f"{LICENSES}{name}"}
    return crate.add(ContextEntity(crate, f"{LICENSES}{name}", properties=properties))
