"""What Snakemake itself reports on a profile and the rules: a separate process, JSON on stdout.

    python -m sdssflow.doctor.snakemake_side SNAKEFILE [PROFILE [CONFIGFILE ...]]

Thus a plugin that can't be imported, or that waits for SLURM while it assembles its help, costs
only one row of the table. Nothing is written in the working directory.
"""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import snakemake
from snakemake.api import WorkflowApi
from snakemake.cli import args_to_api, get_argument_parser
from snakemake.iocontainers import InputFiles, ResourceList

from sdssflow.failures import Refusal

BY_INPUT = frozenset({"mem", "mem_mb", "mem_mib", "disk_mb", "runtime"})


def main(snakefile: str, profile: str = "", *configfiles: str) -> dict[str, Any]:
    """Query Snakemake; see `sdssflow.doctor.profiles.Answers` for the result."""
    parser = get_argument_parser()
    actions = parser._actions
    answers: dict[str, Any] = {
        "version": snakemake.__version__,
        "keys": sorted(
            {
                key.lstrip("-")
                for action in actions
                for key in parser.get_possible_config_keys(action)
            }
        ),
        "executors": sorted(next(a.choices for a in actions if a.dest == "executor")),
        "imports_torch": "torch" in sys.modules,
    }
    stderr = io.StringIO()
    options = ["--snakefile", snakefile, "--list-rules", "--quiet", "all"]
    with contextlib.redirect_stderr(stderr), _copy_of_this_folder():
        try:
            parser = get_argument_parser([profile] if profile else None)
            layers = ["--configfile", *configfiles] if configfiles else []
            found = _rules(parser.parse_args([*options, *layers]), parser)
        except Refusal:
            found = {}  # mistakes in the configuration and missing files have their own rows
        except SystemExit:  # argparse prints the reason after the usage
            lines = stderr.getvalue().strip().splitlines() or ["it can't be read"]
            found = {"complaint": lines[-1].split("error: ", 1)[-1].strip()}
        except Exception as error:
            found = {"complaint": str(error)}
        if not found.get("rules"):  # at least their names, which depend on neither
            parser = get_argument_parser()
            with contextlib.suppress(Refusal):
                found["rules"] = _rules(parser.parse_args(options), parser)["rules"]
    return answers | found


@contextlib.contextmanager
def _copy_of_this_folder() -> Iterator[None]:
    """Work in a folder of links to everything here, with its own .snakemake to write in."""
    with tempfile.TemporaryDirectory() as folder:
        for entry in Path.cwd().iterdir():
            if entry.name != ".snakemake":
                Path(folder, entry.name).symlink_to(entry)
            else:  # without it, existing results would be refused
                Path(folder, entry.name, "metadata").mkdir(parents=True)
        with contextlib.chdir(folder):
            yield


def _rules(args: Any, parser: Any) -> dict[str, Any]:
    """Let Snakemake read the Snakefile as for ``--list-rules``, and inspect the rules."""
    found: dict[str, Any] = {"rules": [], "demands": []}

    def inspect(api: WorkflowApi, only_targets: bool = False) -> None:
        workflow = api._workflow
        found["rules"] = [rule.name for rule in workflow.rules]
        found["demands"] = list(_demands(workflow, args.executor, (args.retries or 0) + 1))

    WorkflowApi.list_rules = inspect
    args_to_api(args, parser)
    return found


def _demands(workflow: Any, executor: str, attempts: int) -> Iterator[dict[str, Any]]:
    """Yield the resources of the first and last attempt of each submitted rule that has jobs."""
    jobs: dict[str, Any] = {}
    names = ("outputs", "RUN", "SAMPLES", "BUNDLES", "TARGETS", "PARTITIONS")
    outputs, *configured = (workflow.globals[name] for name in names)
    for path, *_ in outputs([rule for rule in workflow.rules if rule.output], *configured):
        jobs.setdefault(path.rule.name, (path.rule, path))
    for name, (rule, path) in jobs.items():
        if executor != "local" and name in workflow._localrules:
            continue
        wildcards = rule.get_wildcards(path)
        for attempt in sorted({1, attempts}):
            arguments = (wildcards, InputFiles(), attempt)
            try:
                resources = rule.expand_resources(*arguments)
            except Exception:  # depends on the size of files that may not exist yet
                resources = rule.expand_resources(*arguments, skip_evaluation=BY_INPUT)
            known = {k: v for k, v in resources.items() if isinstance(v, int | str)}
            yield {
                "rule": name,
                "attempt": attempt,
                "gpu": known.get("gpu", 0) if executor == "local" else _own(rule, "gpu"),
                "without_gpu": known.get("without_gpu", ""),
                "sbatch": _sbatch(known) if executor == "slurm" else [],
            }


def _own(rule: Any, name: str) -> int:
    """Return a resource without the limits of the profile, as the job itself will see it."""
    resource = rule.resources.get(name)
    return 0 if resource is None or resource.is_evaluable() else resource.value or 0


def _sbatch(resources: dict[str, Any]) -> list[str]:
    """Return the command by which Snakemake's plugin would submit a job."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string

    named = {"account": "-A", "partition": "-p"}
    options = {
        name: f"{sign} {shlex.quote(str(resources[f'slurm_{name}']))}"
        if resources.get(f"slurm_{name}")
        else ""
        for name, sign in named.items()
    }
    job = SimpleNamespace(resources=ResourceList(fromdict=resources), threads=resources["_cores"])
    texts = {"run_uuid": "doctor", "slurm_logfile": "/dev/null", "comment_str": "doctor"}
    call = get_submit_command(job, {**texts, **options, "workdir": ""}) + set_gres_string(job)
    return shlex.split(call)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
