"""One crate per run: results, records, sources and workflow, described for other programs.

The crate is the folder ``results/`` with ``ro-crate-metadata.json``. It conforms to RO-Crate 1.1
and to the profiles Process Run, Workflow Run and Provenance Run Crate 0.5
(https://w3id.org/ro/wfrun/provenance/0.5) and Workflow RO-Crate 1.0. It lists only files that the
records connect with the report, not files that an earlier configuration left in the folder.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sdssflow.provenance.lineage import (
    RECORDS,
    RESULTS,
    Content,
    Lineage,
    LineageError,
    content_of,
    read_content,
)

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
TERMS = {
    name: f"https://w3id.org/ro/terms/workflow-run#{name}" for name in ("sha256", "environment")
}
BIOSCHEMAS = "https://bioschemas.org/profiles/"
LICENSES = "https://spdx.org/licenses/"
NO_LICENSE = "not stated: there is no CITATION.cff beside the Snakefile"
COMPLETED = "http://schema.org/CompletedActionStatus"
ENGINE = "https://snakemake.github.io/"
WORKFLOW = "workflow"  # folder of the copy, in the crate
FORMATS = {
    **dict.fromkeys((".cff", ".yaml", ".yml"), "application/yaml"),
    **dict.fromkeys((".safetensors", ".skops"), "application/octet-stream"),
    ".csv": "text/csv",
    ".hdf5": "application/x-hdf5",
    ".html": "text/html",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
}
FOLDER_DIGEST = "sha256 is that of the sorted lines: name of the file, a zero byte, its sha256."


def check(lineage: Lineage) -> None:
    """Check that the files on disk match the records; LineageError names those that don't."""
    troubles = list(lineage.disagreements)
    for record in lineage.records.values():
        for path, recorded in record["outputs"].items():
            if Path(path).exists() and content_of(path).sha256 != recorded["sha256"]:
                troubles.append(
                    f"{path}: has changed since {record['rule']} wrote it; "
                    f"make it again: snakemake --force {path}"
                )
    for path, content in lineage.sources.items():
        if Path(path).exists() and content_of(path).sha256 != content.sha256:
            troubles.append(
                f"{path}: has changed since it was read; put it back, or run the workflow again"
            )
    if troubles:
        raise LineageError(
            "the results differ from their records, so no crate is written:\n"
            + "\n".join(sorted(troubles))
        )


def build_crate(
    lineage: Lineage, report: str, root: str | Path, copied: Iterable[str], citation: dict[str, Any]
) -> dict[str, Any]:
    """Describe the run behind a report as the JSON-LD of ``ro-crate-metadata.json``.

    `root` is the folder of the Snakefile, `copied` are the files in ``results/workflow``, relative
    to that folder, and `citation` is the content of CITATION.cff, which may be empty. Equal records
    and files give equal content.
    """
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(TERMS)
    files = CrateFiles(crate, root, copied)
    files.add_workflow(_programs(lineage, citation))
    files.add_lineage(lineage)
    steps = [
        _add(crate, f"#step/{rule}", "HowToStep", name=rule, position=str(position),
             workExample=_script(script))
        for position, (rule, script) in enumerate(_rules(lineage).items(), start=1)
    ]  # fmt: skip
    run = _add_run(crate, files, lineage, report, list(_add_jobs(crate, files, lineage)))
    licence: Any = NO_LICENSE
    if name := citation.get("license"):
        url = f"{LICENSES}{name}"
        licence = _add(crate, url, "CreativeWork", name=name, url=url)
    _describe_workflow(crate, steps, lineage, licence)
    _describe_root(crate, lineage, run, licence, citation)
    return crate.metadata.generate()


class CrateFiles:
    """Adds files to a crate (`results/`) and finds them by their paths in the records.

    A source in `root`, the folder of the Snakefile, may be one of the `copied` files.
    """

    def __init__(self, crate: Any, root: str | Path, copied: Iterable[str]):
        self.crate = crate
        self.root = Path(root)
        self.copied = set(copied)
        self.by_path: dict[str, Any] = {}

    def add_workflow(self, scripts: dict[str, dict[str, Any]]) -> None:
        """Add the copy of the workflow; `scripts` has further properties of some of its files."""
        for name in sorted(self.copied):
            content = read_content(Path(RESULTS) / WORKFLOW / name)
            self._add(f"{WORKFLOW}/{name}", content, Path(name).name, scripts.get(name, {}))

    def add_lineage(self, lineage: Lineage) -> None:
        """Add the files in the records, and the records."""
        for path, content in sorted(lineage.sources.items()):
            inside = Path(os.path.relpath(path, self.root)).as_posix()
            if inside in self.copied:
                self.by_path[path] = self.crate.get(f"{WORKFLOW}/{inside}")
            else:
                self.by_path[path] = self._by_digest(path, content)
        for path in lineage.unrecorded:
            if path not in self.by_path and Path(path).exists():
                self.by_path[path] = self._result(path, read_content(path))
        for record_path, record in lineage.records.items():
            for path, content in record["outputs"].items():
                self.by_path[path] = self._result(path, Content(**content))
            name = Path(record_path).relative_to(RESULTS).as_posix()
            self.by_path[record_path] = self._add(name, read_content(record_path), name, {})

    def entities(self, paths: Iterable[str]) -> list[Any]:
        """Return the entities of paths, in order."""
        return [self.by_path[path] for path in paths if path in self.by_path]

    def _result(self, path: str, content: Content) -> Any:
        name = Path(path).relative_to(RESULTS).as_posix()
        if not Path(path).exists():
            return self._by_digest(path, content)
        if Path(path).is_dir():
            properties = {"name": name, "sha256": content.sha256, "description": FOLDER_DIGEST}
            return self.crate.add_dataset(dest_path=f"{name}/", properties=properties)
        return self._add(name, content, name, {})

    def _by_digest(self, path: str, content: Content) -> Any:
        """Add a file that is not in the crate; its identifier is its digest (RFC 6920)."""
        code = base64.urlsafe_b64encode(bytes.fromhex(content.sha256)).decode().rstrip("=")
        shown = path if not Path(path).is_absolute() else Path(path).name
        properties = {"name": shown, "description": "Not in the crate: identified by its digest."}
        return self._add(f"ni:///sha-256;{code}", content, shown, properties)

    def _add(self, identifier: str, content: Content, name: str, further: dict[str, Any]) -> Any:
        properties = {
            "name": name,
            "sha256": content.sha256,
            "contentSize": str(content.bytes),
            "encodingFormat": FORMATS.get(Path(name).suffix, "text/plain"),
            **further,
        }
        if "://" in identifier:
            return self.crate.add_file(identifier, properties=properties)
        return self.crate.add_file(dest_path=identifier, properties=properties)


def _add(crate: Any, identifier: str, kind: str, **properties: Any) -> Any:
    """Add a contextual entity; properties may be entities; a list of one becomes its element."""
    from rocrate.model.contextentity import ContextEntity

    entity = crate.add(ContextEntity(crate, identifier, properties={"@type": kind}))
    for name, value in properties.items():
        entity[name] = value[0] if isinstance(value, list) and len(value) == 1 else value
    return entity


def _rules(lineage: Lineage) -> dict[str, str]:
    """Return the script of each rule that ran, in the order of their first jobs.

    A rule has the name of its script, unless a module renames it or two rules share a script.
    """
    return {
        record["rule"]: record["code"].get("script") or record["rule"]
        for record in lineage.records.values()
    }


def _script(name: str) -> dict[str, str]:
    return {"@id": f"{WORKFLOW}/scripts/{name}.py"}


def _programs(lineage: Lineage, citation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the properties of the Snakefile and of the scripts of the rules that ran."""
    version = str(citation.get("version", "unknown"))
    kinds = ["File", "SoftwareSourceCode"]
    programs: dict[str, dict[str, Any]] = {
        f"scripts/{name}.py": {"@type": kinds, "name": name, "version": version}
        for name in _rules(lineage).values()
    }
    programs["Snakefile"] = {
        "@type": [*kinds, "ComputationalWorkflow", "HowTo"],
        "name": citation.get("title", "Snakefile"),
        "version": version,
    }
    return programs


def _add_jobs(crate: Any, files: CrateFiles, lineage: Lineage) -> Iterator[Any]:
    """Add an action for each job and one for its control by Snakemake; yield the latter."""
    scripts = _rules(lineage)
    for path, record in lineage.records.items():
        name = quote(Path(path).relative_to(RECORDS).with_suffix("").as_posix())
        title = f"{record['rule']} {' '.join(record['wildcards'].values())}".rstrip()
        job = _add(
            crate,
            f"#job/{name}",
            "CreateAction",
            name=title,
            description=(
                f"{record['seconds']} s on {record['device']}; parameters "
                f"{record['parameters_sha256']}, modules {record['code']['modules']}"
            ),
            instrument=_script(scripts[record["rule"]]),
            startTime=record["started"],
            endTime=record["ended"],
            actionStatus=COMPLETED,
            object=files.entities(record["inputs"]),
            result=files.entities(record["outputs"]),
            subjectOf=files.by_path[path],
            environment=list(_environment(crate, record)),
        )
        step = {"@id": f"#step/{record['rule']}"}
        runs = f"Snakemake runs {title}"
        yield _add(crate, f"#control/{name}", "ControlAction", name=runs, instrument=step,
                   object=job)  # fmt: skip


def _add_run(
    crate: Any, files: CrateFiles, lineage: Lineage, report: str, controls: list[Any]
) -> Any:
    """Add the run of the whole workflow by Snakemake and return it."""
    records = lineage.records.values()
    last = next(record for record in records if report in record["outputs"])
    shown = [path for path in last["inputs"] if path.split("/")[0] == RESULTS]
    results = files.entities([report, *shown])
    found = files.entities(sorted(lineage.sources))
    sources = list({entity.id: entity for entity in found}.values())
    configuration = crate.get(f"{WORKFLOW}/configuration.json")
    _parameter(crate, "source", "Tables and templates that no job made", sources)
    _parameter(crate, "configuration", "The configuration as it was used", [configuration])
    _parameter(crate, "result", "The report and the tables and figures in it", results)
    times = {
        "startTime": min(record["started"] for record in records),
        "endTime": max(record["ended"] for record in records),
    }
    run = _add(
        crate,
        "#run",
        "CreateAction",
        name="Run of the workflow",
        description=f"{len(lineage.records)} jobs, from the sources to {report}",
        instrument={"@id": f"{WORKFLOW}/Snakefile"},
        **times,
        actionStatus=COMPLETED,
        object=[configuration, *sources],
        result=results,
        environment=list(_environment(crate, last)),
    )
    version = last["environment"]["packages"]["snakemake"] or "unknown"
    engine = _add(crate, ENGINE, "SoftwareApplication", name="Snakemake", url=ENGINE,
                  softwareVersion=version)  # fmt: skip
    _add(crate, "#organisation", "OrganizeAction", name="Snakemake runs the workflow",
         instrument=engine, object=controls, result=run, **times)  # fmt: skip
    return run


def _parameter(crate: Any, name: str, description: str, examples: list[Any]) -> None:
    """Add a formal parameter of the workflow and link it with its files."""
    if not examples:
        return
    profile = {"@id": f"{BIOSCHEMAS}FormalParameter/1.0-RELEASE"}
    parameter = _add(crate, f"#parameter/{name}", "FormalParameter", name=name,
                     description=description, additionalType="File", conformsTo=profile,
                     workExample=examples)  # fmt: skip
    for example in examples:
        example["exampleOfWork"] = parameter


def _environment(crate: Any, record: dict[str, Any]) -> Iterator[Any]:
    """Yield software and machine of a job; jobs share the entities of equal values."""
    values = {
        "device": record["device"],
        "python": record["environment"]["python"],
        "lock_sha256": record["environment"]["lock_sha256"],
        **record["environment"]["packages"],
        **record["machine"],
    }
    for name, value in values.items():
        if value is not None:
            key = f"#environment/{name}={quote(str(value), safe='')}"
            yield crate.get(key) or _add(crate, key, "PropertyValue", name=name, value=str(value))


def _describe_workflow(crate: Any, steps: list[Any], lineage: Lineage, licence: Any) -> None:
    """Complete the main entity: the Snakefile."""
    from rocrate.model.computerlanguage import get_lang

    workflow = crate.get(f"{WORKFLOW}/Snakefile")
    workflow["programmingLanguage"] = crate.add(get_lang(crate, "snakemake"))
    workflow["conformsTo"] = {"@id": f"{BIOSCHEMAS}ComputationalWorkflow/1.0-RELEASE"}
    workflow["license"] = licence
    workflow["step"] = steps
    scripts = dict.fromkeys(_rules(lineage).values())
    workflow["hasPart"] = [crate.get(_script(name)["@id"]) for name in scripts]
    named = [crate.get(f"#parameter/{name}") for name in ("source", "configuration")]
    workflow["input"] = [entity for entity in named if entity]
    workflow["output"] = crate.get("#parameter/result")


def _describe_root(
    crate: Any, lineage: Lineage, run: Any, licence: Any, citation: dict[str, Any]
) -> None:
    """Complete the root and the description of the metadata file."""
    root = crate.root_dataset
    samples = {record["wildcards"].get("sample") for record in lineage.records.values()} - {None}
    root["name"] = f"Results of {citation.get('title', 'a workflow')}"
    root["description"] = (
        f"Samples: {', '.join(sorted(samples))}. Made by {len(lineage.records)} jobs; the record "
        "of each is in provenance/. The licence is that of the workflow; rows of source tables "
        "keep the licence of their source (workflow/data/embedded)."
    )
    root["datePublished"] = run["endTime"]
    root["license"] = licence
    root["mainEntity"] = crate.get(f"{WORKFLOW}/Snakefile")
    actions = ("CreateAction", "ControlAction", "OrganizeAction")
    root["mentions"] = [entity for entity in crate.get_entities() if entity.type in actions]
    if citation.get("keywords"):
        root["keywords"] = ", ".join(citation["keywords"])
    if cited := crate.get(f"{WORKFLOW}/CITATION.cff"):
        root["citation"] = cited
    root["conformsTo"] = [
        _add(crate, identifier, "CreativeWork", name=name, version=version)
        for identifier, (name, version) in PROFILES.items()
    ]
    crate.metadata["conformsTo"] = [
        {"@id": "https://w3id.org/ro/crate/1.1"},
        {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
    ]
