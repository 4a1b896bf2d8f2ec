# What applies to every rule, and to a run as a whole. Included after the rules.
from snakemake.io import WILDCARD_REGEX
from snakemake.logging import logger

from sdssflow.preload import Preload

PRELOADED = []
# the rules of this workflow, also if it is a module
OURS = []


def script_of(made):
    """Name of the script of a rule, which is the name of the rule here; '' for one without.

    A workflow that uses this one as a module may rename rules, and has others, which give ''.
    """
    ours = made.is_script and Path(made.snakefile).is_relative_to(PROJECT)
    return Path(made.script).stem if ours else ""


def complete_rules():
    """Add what all rules share: log, benchmark, environment, code digest, further figure formats.

    The record of the job is one of its outputs, so that results without one are made again.
    """
    OURS.extend(made for made in workflow.rules if made in workflow.modifier.rules)
    for made in filter(script_of, OURS):
        found = (
            match["name"] for match in WILDCARD_REGEX.finditer(str(made.output[0]))
        )
        wildcards = [f"{{{name}}}" for name in dict.fromkeys(found)]
        name = script_of(made)
        job = "/".join([name, *(wildcards or [name])])
        made.log_modifier = made.benchmark_modifier = made.output_modifier
        log = f"logs/{job}.log"
        made.set_log(log)
        made.benchmark = f"benchmarks/runs/{job}.jsonl"
        made.conda_env = "../environment.yml"
        trains = name.startswith(("train_", "search_", "refit_", "measure_"))
        made.set_params(code=code_of_kind(made) if trains else code_of(made))
        if also := further(made.output):
            made.set_output(also=also)
        if "record" not in made.output.keys():
            made.set_output(record=str(records.record_path(log)))
        if "figures" in made.output.keys():
            made.expand_output = functools.partial(own_outputs, made.expand_output)
        made.expand_output = functools.partial(new_outputs, made.expand_output)
    if workflow.is_main_process and workflow.modifier.is_main_snakefile():
        warn_of_unknown_rules()


def warn_of_unknown_rules():
    """Warn of unknown rules on the command line and in the profile, which Snakemake ignores. A profile
    that other workflows use too may have some."""
    resources, known = workflow.resource_settings, {
        made.name for made in workflow.rules
    }
    named = {*resources.overwrite_resources, *resources.overwrite_threads}
    for name in sorted({*named, *workflow.group_settings.overwrite_groups} - known):
        logger.warning(
            f"{name} is no rule{loading.nearest(name, known)}: its set-resources, set-threads or "
            "groups have no effect"
        )


def own_outputs(expand, wildcards):
    """Outputs of a job without those whose wildcard constraints it doesn't meet.

    Snakemake has no output functions, and a job per figure would start Python for each.
    """
    known, patterns = expand(wildcards)
    kept = type(known)()
    for name, paths in known.items():
        one, start = isinstance(paths, str), len(kept)
        kept += [p for p in ([paths] if one else paths) if one or patterns[p].match(p)]
        kept._set_name(name, start, end=None if one else len(kept))
    return kept, patterns


def new_outputs(expand, wildcards):
    """Outputs of a job; those never written, such as a figure in a further format, are forced.

    Snakemake compares neither parameters nor inputs of a job with such an output, so its other
    outputs would stay as they are.
    """
    paths, patterns = expand(wildcards)
    missing = [path for path in paths if not os.path.exists(path)]
    if 0 < len(missing) < len(paths):
        known = workflow.persistence.metadata
        workflow.dag.forcefiles.update(path for path in missing if not known(path))
    return paths, patterns


@functools.cache
def code_of(made, *programs):
    """Code digest of the modules of a rule's script; as a parameter it reruns the rule."""
    script = os.path.join(SCRIPTS, f"{script_of(made)}.py")
    return code_digests.code_digest(script, CODE, programs)


def code_of_kind(made):
    """Parameter function: the same with the modules of the trained kind of model. Rules that read
    a model don't need them, because its folder is newer then."""
    if script_of(made) == "refit_model":
        return lambda its: code_of(made, *settings_of(BUNDLES[its.bundle]).programs())
    if script_of(made) == "measure_learning":
        return lambda its: code_of(
            made,
            *dict.fromkeys(
                program
                for task, names in model_figures.learning(
                    RUN, SAMPLES[its.sample]
                ).items()
                for name in names
                for program in MODELS[task][name].programs()
            ),
        )
    classifies = "/classify/" in made.output[0].removeprefix(PREFIX)
    known = MODELS["classify" if classifies else "regress"]
    return lambda wildcards: code_of(made, *known[wildcards.model].programs())


def check_folder():
    """Stop if the folder can't be written, a file of the user is missing, or Snakemake's metadata
    of existing results are missing."""
    for folder in (".", ".snakemake", f"{PREFIX}results", f"{PREFIX}logs"):
        if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK):
            failures.refuse(
                f"{os.path.abspath(folder)}: can't be written. Get write permission, or run in "
                "another folder: --directory FOLDER"
            )
    for name, its in SOURCES.items():
        key = "source.folder" if its.source.kind == "bulk" else "source.path"
        for path in source_paths(name):
            what = "target" if name in TARGETS else "sample"
            failures.present(path, f"{what} {name}: {key}")
    for name, target in TARGETS.items():
        if target.hats and not importlib.util.find_spec("hats"):
            failures.refuse(
                f"target {name}: hats: true needs packages that are not installed: "
                "make .venv/.hats (or: pip install 'sdssflow[hats]')"
            )
        for path in APPLIED[name]:
            if path not in OWN_BUNDLES:
                failures.present(path, f"target {name}: models: bundle")
    made = Path(PREFIX, lineage.RECORDS)
    if made.is_dir() and not os.path.isdir(".snakemake/metadata"):
        failures.refuse(
            "The folder .snakemake is missing, from which Snakemake knows which results are out of "
            f"date. Make them all again: rm -r {made.parent} && snakemake. Or, if you know that nothing "
            "has changed, keep them: mkdir -p .snakemake/metadata && snakemake --touch --forceall"
        )


def configuration_digest():
    """Digest of the whole configuration, which each cluster job reads again."""
    return records.digest_of(
        RUN.canonical() + definitions(SAMPLES) + definitions(TARGETS)
    )


if workflow.is_main_process:
    check_folder()
    for line in LEFT_OUT:
        logger.warning(line)
elif workflow.modifier.is_main_snakefile() and runs.began_otherwise(
    Path.cwd(), configuration_digest()
):
    failures.refuse(
        "The configuration has changed since this run began, so this job is not started. Restore it, "
        "or stop the run and start it again: finished results are kept."
    )


def every_output(wildcards):
    """Input function: everything that the jobs of this configuration write.

    Snakemake makes only requested outputs again, not missing intermediate ones; and of a job with
    an output that it has no metadata of, it compares neither parameters nor inputs.
    """
    known = [r for r in OURS if script_of(r) not in ("", "estimate_download")]
    jobs = list(outputs(known, RUN, SAMPLES, BUNDLES, TARGETS, PARTITIONS))
    # Snakemake considers an existing folder complete, whatever is missing in it
    folders = [
        (str(path), paths.record)
        for paths in jobs
        for path in paths
        if path.is_directory
    ]
    workflow.dag.forcefiles.update(records.incomplete_folders(folders, PREFIX))
    # as plain texts, without flags such as captions; Snakemake adds the prefix again
    return [str(path).removeprefix(PREFIX) for paths in jobs for path in paths]


def check_gpus():
    """Stop if cluster jobs can't get the GPUs they request."""
    asking = sorted(
        known.name
        for known in {job.rule for job in workflow.dag.needrun_jobs()}
        if "gpu" in known.resources and known.resources["gpu"] != 0
    )
    if not asking:
        return
    instead = (
        f"To train on the CPU: --set-resources {' '.join(f'{name}:gpu=0' for name in asking)} "
        "(or set-resources in the profile)"
    )
    if workflow.global_resources.get("gpu") == 0:
        raise WorkflowError(
            "--resources gpu=0 is a limit of this Snakemake and doesn't reach the jobs of a "
            "cluster: they would be submitted without a GPU and then need one. "
            + instead
        )
    if runs.available() and not runs.has_gpus():
        raise WorkflowError(
            f"{', '.join(asking)}: a GPU is needed, and no node of this cluster has one "
            f"(sinfo -o '%N %G'). {instead}"
        )


def check_results():
    """Stop before a report or crate with results of another configuration is written."""
    running = set(workflow.dag.needrun_jobs())
    if {"build_report", "write_crate"} & {script_of(job.rule) for job in running}:
        others = set(workflow.dag.jobs) - running
        records.check_still_asked_for(job for job in others if script_of(job.rule))


def begin_run():
    """Checks and preparations before the first job; not run while parsing, nor in jobs."""
    failures.watch(workflow)
    terminal.expect_reasons()
    try:
        check_results()
        if not workflow.local_exec:
            check_gpus()
        elif RUN.preload:
            scripts = (
                os.path.join(SCRIPTS, f"{script_of(job.rule)}.py")
                for job in workflow.dag.needrun_jobs()
                if script_of(job.rule)
            )
            PRELOADED.append(Preload(scripts, CODE))
        runs.begin_run(Path.cwd(), not workflow.local_exec, configuration_digest())
    except (runs.QueueError, LineageError, WorkflowError) as error:
        failures.refuse(error)


def end_run(failed=False):
    """Clean up after the last job; the reasons of failed jobs are printed last."""
    for server in PRELOADED:
        server.end()
    try:
        # start times of submitted jobs, for Snakemake's report
        if not workflow.local_exec:
            runs.restore_starts(workflow.persistence, Path.cwd())
        runs.end(Path.cwd())
    finally:
        if failed:
            failures.tell(workflow)
