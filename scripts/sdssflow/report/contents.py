"""The files that the report shows of a run, in its order.

The rule build_report asks for exactly these files, and the pages show exactly these files.
Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from sdssflow.configuration.applying import Estimated
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report.figures import (
    ACQUIRE,
    CATALOGUE,
    CLASSES,
    CONCEPTS,
    ESTIMATES,
    GROUPS,
    LEARNING,
    OUTLIERS,
    PARTS,
    PDFS,
    PREPARE,
    REDSHIFTS,
    SPLITS,
)
from sdssflow.report.model_figures import Shown, pdf_models

Stage = Literal["acquire", "prepare", "explore", "classify", "regress", "evaluate", "estimate"]


class Item(NamedTuple):
    """One file that the report shows, with the words of its record.

    Sample and split are '' where it belongs to none; of a target's file, the sample is the target.
    Of a Parquet table, kind 'data', only the number of rows and the provenance are quoted. `seed`
    is that of a table of one seed, `telling` as in `Shown`.
    """

    path: str
    kind: Literal["figure", "table", "data"]
    sample: str
    stage: Stage
    split: str
    name: str
    title: str
    caption: str
    seed: int | None = None
    telling: int = 0


def contents(
    run: RunConfiguration,
    samples: dict[str, Sample],
    results: str = "results",
    targets: Mapping[str, Estimated] | None = None,
) -> list[Item]:
    """List what the report shows, in its order: of samples, then of the run's targets.

    Splits come in the order of their names: canonical JSON does not keep the order of keys.

    Raises
    ------
    KeyError
        If a sample of the run has no definition.
    """
    items = [_item(shown, f"{results}/{shown.path}", "explore", run) for shown in CONCEPTS]
    for name in run.samples:
        if name not in samples:
            raise KeyError(f"sample {name!r} of the run has no definition")
        items.extend(_of_sample(name, samples[name], run, f"{results}/{name}"))
    for name, its in (targets or {}).items():
        items += [
            _item(shown, f"{results}/{name}/{shown.path}", "estimate", run, name)
            for shown in ESTIMATES
            if shown.asked(run, its)
        ]
    return items


def _of_sample(name: str, sample: Sample, run: RunConfiguration, folder: str) -> Iterator[Item]:
    explored = {shown.label: shown for shown in CATALOGUE}
    splits = sorted(sample.splits)
    sections: list[tuple[Stage, str, Iterable[Shown]]] = [
        ("acquire", "", ACQUIRE),
        ("prepare", "", PREPARE),
        *(("prepare", split, PARTS) for split in splits),
        (
            "explore",
            "",
            [*(explored[figure] for figure in sample.explore.figures), *GROUPS, *OUTLIERS],
        ),
    ]
    for task in sample.tasks:
        of_task = CLASSES if task == "classify" else (*REDSHIFTS, *PDFS)
        sections += [(task, split, of_task) for split in splits]
    sections += [("evaluate", "", SPLITS), *(("evaluate", split, LEARNING) for split in splits)]
    for stage, split, records in sections:
        for shown in records:
            if shown.asked(run, sample):
                for path, seed in _paths(shown.path, split, sample, run):
                    yield _item(shown, f"{folder}/{path}", stage, run, name, split, seed)


def _paths(
    path: str, split: str, sample: Sample, run: RunConfiguration
) -> Iterator[tuple[str, int | None]]:
    """Yield the paths of one record in one split, and the seed of each."""
    searching = [m for m in pdf_models(run, sample) if getattr(run.regressors[m], "search", None)]
    for model in searching if "{model}" in path else [""]:
        for seed in run.seeds if "{seed}" in path else [None]:
            yield path.format(split=split, model=model, seed=seed), seed


def _item(
    shown: Shown,
    path: str,
    stage: Stage,
    run: RunConfiguration,
    sample: str = "",
    split: str = "",
    seed: int | None = None,
) -> Item:
    kind: Literal["figure", "table", "data"] = "table" if path.endswith(".csv") else "data"
    if shown.is_figure:
        path, kind = f"{path}.{run.figures.format}", "figure"
    words = (shown.label, shown.title, shown.caption)
    return Item(path, kind, sample, stage, split, *words, seed, shown.telling)


def matched(items: list[Item], paths: list[str]) -> list[Item]:
    """Return `items` with the paths that a rule was given for them.

    The rule may keep its results in another folder than `contents` assumes; what stands below that
    folder has to agree, in this order, or it is a ValueError.
    """
    if len(paths) != len(items):
        raise ValueError(f"the report shows {len(items)} files, the rule gave it {len(paths)}")
    for item, path in zip(items, paths, strict=True):
        below = item.path.partition("/")[2]
        if not f"/{path}".endswith(f"/{below}"):
            raise ValueError(f"the report expects {item.path} where the rule gives {path}")
    return [item._replace(path=str(path)) for item, path in zip(items, paths, strict=True)]
