"""Which models of a run a sample trains, and which of them the report says more about.

Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
"""

from __future__ import annotations

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample


def models(run: RunConfiguration, sample: Sample, task: str) -> list[str]:
    """Return the names of the models that a sample trains for a task, in order."""
    chosen = sample.classifiers if task == "classify" else sample.regressors
    if chosen is not None:
        return list(chosen)
    known = run.classifiers if task == "classify" else run.regressors
    lacking = {
        "needs_classes": "classify" not in sample.tasks,
        "needs_errors": "magnitude_errors" not in sample.features.groups,
    }
    return [
        name
        for name, its in known.items()
        if not any(lacks and getattr(its, need) for need, lacks in lacking.items())
    ]


def pdf_models(run: RunConfiguration, sample: Sample) -> list[str]:
    """Return the names of the regressors of a sample that give a p(z), in order."""
    if "regress" not in sample.tasks:
        return []
    return [n for n in models(run, sample, "regress") if run.regressors[n].gives_pdf]


def explained(run: RunConfiguration, sample: Sample, task: str) -> list[str]:
    """Return the names of the models of a sample whose use of features is measured, in order."""
    if task not in sample.tasks:
        return []
    return [name for name in models(run, sample, task) if name in run.importance.models]


def learning(run: RunConfiguration, sample: Sample) -> dict[str, list[str]]:
    """Return the names of the models of a sample that have learning curves, by task."""
    asked = {
        task: [n for n in run.learning_curves.of_task(task) if n in models(run, sample, task)]
        for task in sample.tasks
    }
    return {task: names for task, names in asked.items() if names}
