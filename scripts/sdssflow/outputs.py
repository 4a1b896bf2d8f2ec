"""Every file that the jobs of a configuration write, from the rules themselves.

Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report.figures import models

TASKS = ("classify", "regress")


def outputs(
    rules: Iterable[Any], run: RunConfiguration, samples: Mapping[str, Sample]
) -> Iterator[str]:
    """Yield the outputs of all jobs of a configuration.

    The rules' patterns of outputs say which wildcards they have; a folder ``classify`` or
    ``regress`` in one of them says that the rule serves samples with that task alone.
    """
    for rule in rules:
        task = next(
            (task for task in TASKS if any(f"/{task}/" in path for path in rule.output)), ""
        )
        for job in _jobs(rule.wildcard_names or (), task, run, samples):
            paths, patterns = rule.expand_output(job)
            # whether the values of the wildcards keep to the rule's constraints
            if all(patterns[path].match(path) for path in paths):
                yield from paths


def _jobs(
    names: Iterable[str], task: str, run: RunConfiguration, samples: Mapping[str, Sample]
) -> list[dict[str, str]]:
    """Return the wildcards of each job of a rule."""
    # what a wildcard stands for, given those before it
    choices = {
        "sample": lambda: [name for name in samples if not task or task in samples[name].tasks],
        "split": lambda sample, **_: samples[sample].splits,
        "seed": lambda **_: run.seeds,
        "model": lambda sample, **_: models(run, samples[sample], task),
        "chunk": lambda sample, **_: _chunks(samples[sample]),
    }
    jobs: list[dict[str, str]] = [{}]
    for name in (name for name in choices if name in names):
        jobs = [{**job, name: str(value)} for job in jobs for value in choices[name](**job)]
    return jobs


def _chunks(sample: Sample) -> list[str]:
    return [f"{chunk:04d}" for chunk in range(getattr(sample.source, "chunks", 0))]
