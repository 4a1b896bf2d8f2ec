"""List all output files of a configuration, from the rules.

Snakemake imports this module whenever it parses the workflow: it imports nothing heavier than
pydantic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.targets import Target
from sdssflow.report.model_figures import models

TASKS = ("classify", "regress")


def outputs(
    rules: Iterable[Any],
    run: RunConfiguration,
    samples: Mapping[str, Sample],
    bundles: Iterable[str] = (),
    targets: Mapping[str, Target] | None = None,
    partitions: Mapping[str, Iterable[str]] | None = None,
) -> Iterator[Sequence[Any]]:
    """Yield the outputs of each job of a configuration.

    Wildcards are those in the output patterns of the rules; a rule with a folder ``classify`` or
    ``regress`` in a pattern applies only to samples with that task. Rows of targets are acquired by
    the rules of samples, whose wildcard constraints include them.
    """
    partitions, targets = partitions or {}, targets or {}
    sources: Mapping[str, Any] = {**samples, **targets}

    def named(task: str, names: set[str]) -> Iterable[str]:
        if task:
            return [name for name in samples if task in samples[name].tasks]
        return sources if names <= {"sample", "chunk", "file"} else samples

    for rule in rules:
        task = next(
            (task for task in TASKS if any(f"/{task}/" in path for path in rule.output)), ""
        )
        names = set(rule.wildcard_names or ())
        # values of a wildcard, given those before it
        choices: dict[str, Callable[..., Any]] = {
            "sample": lambda task=task, names=names: named(task, names),
            "split": lambda sample, **_: samples[sample].splits,
            "seed": lambda **_: run.seeds,
            "model": lambda sample, task=task, **_: models(run, samples[sample], task),
            "chunk": lambda sample, **_: map(
                "{:04d}".format, range(getattr(sources[sample].source, "chunks", 0))
            ),
            "file": lambda sample, **_: filter(
                None, [getattr(sources[sample].source, "file_name", "")]
            ),
            "bundle": lambda **_: bundles,
            "target": lambda **_: targets,
            "partition": lambda target, **_: partitions[target],
        }
        for job in _jobs([name for name in choices if name in names], choices):
            paths, patterns = rule.expand_output(job)
            # whether the wildcards meet the rule's constraints
            if all(patterns[path].match(path) for path in paths):
                yield paths


def _jobs(names: list[str], choices: Mapping[str, Callable]) -> list[dict[str, str]]:
    """Return the wildcards of each job of a rule."""
    jobs: list[dict[str, str]] = [{}]
    for name in names:
        jobs = [{**job, name: str(value)} for job in jobs for value in choices[name](**job)]
    return jobs
