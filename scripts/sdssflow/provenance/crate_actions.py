"""What was done, in the words of Workflow Run RO-Crate: steps, jobs, the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sdssflow.provenance.crate_files import WORKFLOW, CrateFiles
from sdssflow.provenance.digests import RECORDS
from sdssflow.provenance.lineage import RESULTS, Lineage

COMPLETED = "http://schema.org/CompletedActionStatus"
ENGINE = "https://snakemake.github.io/"


def rules_of(lineage: Lineage) -> list[str]:
    """Return the rules that ran, in the order in which their first jobs stand."""
    return list(dict.fromkeys(record["rule"] for record in lineage.records.values()))


def add_steps(crate: Any, lineage: Lineage) -> list[Any]:
    """Add a step per rule and return them."""
    return [
        _context(
            crate,
            f"#step/{rule}",
            "HowToStep",
            name=rule,
            position=str(position),
            workExample={"@id": f"{WORKFLOW}/scripts/{rule}.py"},
        )
        for position, rule in enumerate(rules_of(lineage), start=1)
    ]


def add_jobs(crate: Any, files: CrateFiles, lineage: Lineage) -> list[Any]:
    """Add an action per job, and its control by Snakemake; return the controls."""
    controls = []
    for path, record in lineage.records.items():
        name = quote(Path(path).relative_to(RECORDS).with_suffix("").as_posix())
        wildcards = " ".join(record["wildcards"].values())
        job = _context(
            crate,
            f"#job/{name}",
            "CreateAction",
            name=f"{record['rule']} {wildcards}".rstrip(),
            description=(
                f"{record['seconds']} s on {record['device']}; parameters "
                f"{record['parameters_sha256']}, modules {record['code']['modules']}"
            ),
            instrument={"@id": f"{WORKFLOW}/scripts/{record['rule']}.py"},
            startTime=record["started"],
            endTime=record["ended"],
            actionStatus=COMPLETED,
            object=files.entities(record["inputs"]),
            result=files.entities(record["outputs"]),
            subjectOf=files.by_path[path],
            environment=list(_environment(crate, record)),
        )
        controls.append(
            _context(
                crate,
                f"#control/{name}",
                "ControlAction",
                name=f"Snakemake runs {record['rule']} {wildcards}".rstrip(),
                instrument={"@id": f"#step/{record['rule']}"},
                object=job,
            )
        )
    return controls


def add_run(
    crate: Any, files: CrateFiles, lineage: Lineage, report: str, controls: list[Any]
) -> Any:
    """Add the run of the whole workflow and return it."""
    records = lineage.records.values()
    last = next(record for record in records if report in record["outputs"])
    shown = [path for path in last["inputs"] if path.split("/")[0] == RESULTS]
    results = files.entities([report, *shown])
    sources = _once(files.entities(sorted(lineage.sources)))
    configuration = crate.get(f"{WORKFLOW}/configuration.json")
    _parameter(crate, "source", "Tables and templates that no job made", sources)
    _parameter(crate, "configuration", "The configuration as it was used", [configuration])
    _parameter(crate, "result", "The report and the tables and figures in it", results)
    run = _context(
        crate,
        "#run",
        "CreateAction",
        name="Run of the workflow",
        description=f"{len(lineage.records)} jobs, from the sources to {report}",
        instrument={"@id": f"{WORKFLOW}/Snakefile"},
        startTime=min(record["started"] for record in records),
        endTime=max(record["ended"] for record in records),
        actionStatus=COMPLETED,
        object=[configuration, *sources],
        result=results,
        environment=list(_environment(crate, last)),
    )
    _organise(crate, run, controls, last["environment"]["packages"]["snakemake"])
    return run


def _organise(crate: Any, run: Any, controls: list[Any], version: str | None) -> None:
    """Add Snakemake, which ran the jobs."""
    engine = _context(
        crate,
        ENGINE,
        "SoftwareApplication",
        name="Snakemake",
        url=ENGINE,
        softwareVersion=version or "unknown",
    )
    _context(
        crate,
        "#organisation",
        "OrganizeAction",
        name="Snakemake runs the workflow",
        instrument=engine,
        object=controls,
        result=run,
        startTime=run["startTime"],
        endTime=run["endTime"],
    )


def _parameter(crate: Any, name: str, description: str, examples: list[Any]) -> None:
    """Add a formal parameter of the workflow and tie the files to it that stood for it."""
    if not examples:
        return
    parameter = _context(
        crate,
        f"#parameter/{name}",
        "FormalParameter",
        name=name,
        description=description,
        additionalType="File",
        conformsTo={"@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"},
        workExample=examples,
    )
    for example in examples:
        example["exampleOfWork"] = parameter


def _environment(crate: Any, record: dict[str, Any]) -> Iterator[Any]:
    """Yield what the job ran with and on; jobs share the entities of equal values."""
    values = {
        "device": record["device"],
        "python": record["environment"]["python"],
        "lock_sha256": record["environment"]["lock_sha256"],
        **record["environment"]["packages"],
        **record["machine"],
    }
    for name, value in values.items():
        if value is None:
            continue
        identifier = f"#environment/{name}={quote(str(value), safe='')}"
        yield crate.get(identifier) or _context(
            crate, identifier, "PropertyValue", name=name, value=str(value)
        )


def _once(entities: Iterable[Any]) -> list[Any]:
    return list({entity.id: entity for entity in entities}.values())


def _context(crate: Any, identifier: str, kind: str, **properties: Any) -> Any:
    """Add a contextual entity; its properties may be entities, a list of one becomes that one."""
    from rocrate.model.contextentity import ContextEntity

    entity = crate.add(ContextEntity(crate, identifier, properties={"@type": kind}))
    for name, value in properties.items():
        entity[name] = value[0] if isinstance(value, list) and len(value) == 1 else value
    return entity
