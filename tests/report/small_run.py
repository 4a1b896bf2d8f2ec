"""A finished run in small: every file that the report shows, and its pages."""

import json
import struct
import zlib
from pathlib import Path

import build_report
import pandas as pd
import pyarrow as pa

from sdssflow.configuration.applying import Estimated
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.targets import Target
from sdssflow.report.figures import contents
from sdssflow.report.model_figures import models
from sdssflow.tables import with_metadata, write_csv, write_parquet
from tests.jobs import Named, run
from tests.report.small_tables import (
    digest,
    manifest,
    of_target,
    predictions,
    table,
    write_densities,
)

SVG = '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>\n'


def configuration(figure_format="png"):
    run = RunConfiguration.model_validate(
        {
            "samples": ["galaxies", "mixed"],
            "seeds": [1, 7],
            "classifiers": {
                "dummy": {"kind": "dummy"},
                "forest": {"kind": "random_forest"},
                "vote": {"kind": "soft_vote", "members": ["forest", "dummy"]},
            },
            "regressors": {
                "mean": {"kind": "mean"},
                "linear": {"kind": "linear"},
                "network": {"kind": "network"},
                "trees": {"kind": "random_forest"},
                "local": {"kind": "local_linear"},
                "ensemble": {"kind": "mixture_ensemble", "search": {"weight_decay": [0.1, 0.3]}},
            },
            "learning_curves": {"regressors": ["mean"]},
            "figures": {"format": figure_format},
        }
    )
    column = {"ra": "ra", "dec": "dec", "spec_class": "class", "zspec": "redshift"}
    column |= {f"model_mag_{b}": b for b in "ugriz"}
    samples = {
        "galaxies": Sample.model_validate(
            {
                "title": "Galaxies with redshifts",
                "description": "Bright galaxies.",
                "reference": "A catalogue (2013)",
                "source": {"kind": "embedded", "table": "mgs"},
                "tasks": ["regress"],
                "regressors": ["mean", "linear"],
                "splits": {"published": {"kind": "published"}, "drawn": {"kind": "holdout"}},
            }
        ),
        "mixed": Sample.model_validate(
            {
                "title": "Stars, galaxies & quasars",
                "source": {"kind": "file", "path": "data/mixed.csv", "columns": column},
                "tasks": ["classify", "regress"],
                "cuts": [{"cut": "nonzero_redshift"}],
                "splits": {"random": {"kind": "holdout"}, "folds": {"kind": "cross_validation"}},
                "explore": {"figures": ["sky_map", "magnitudes"]},
            }
        ),
    }
    return run, samples


def targets(folder):
    """Two targets, one observed and one simulated, and what is applied to them."""
    columns = {f"model_mag_{b}": b for b in "ugriz"}
    models = {task: f"{folder}/results/bundles/{task}" for task in ("classify", "regress")}
    faint = {
        "title": "Faint objects",
        "description": "All that is faint.",
        "reference": "A survey (2020)",
        "source": {"kind": "file", "path": "data/faint", "columns": columns},
        "cuts": [{"cut": "magnitude_range", "maximum": 21.0}],
        "models": [{"bundle": models["classify"]}, {"bundle": models["regress"]}],
        "pdf": "mixture",
    }
    sky = {
        "title": "A sky of our own",
        "source": {"kind": "skyserver", "simulated": {"objects": 1000}},
        "models": [{"bundle": models["regress"]}],
    }
    return {
        "faint": Estimated(Target.model_validate(faint), [*models.values()], [*models]),
        "sky": Estimated(Target.model_validate(sky), [models["regress"]], ["regress"]),
    }


def png(width=3, height=2):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class Results:
    """A folder of results with its configuration, and the rule that reads it."""

    def __init__(self, folder, figure_format="png", with_targets=False):
        self.folder = Path(folder)
        self.run, self.samples = configuration(figure_format)
        self.targets = targets(folder) if with_targets else {}
        self.items = contents(self.run, self.samples, f"{folder}/results", self.targets)
        self.predictions = [
            f"{folder}/results/{name}/{task}/{split}/{model}/predictions.parquet"
            for name, sample in self.samples.items()
            for task in sample.tasks
            for split in sample.splits
            for model in models(self.run, sample, task)
        ]
        self.models = [
            str(Path(path).parent / str(seed))
            for path in self.predictions
            for seed in self.run.seeds
        ]
        self.published = []
        for item in self.items:
            self.write(item)
        for path in self.predictions:
            self.write_predictions(path)
        self.pdfs = [
            path.replace("predictions.parquet", "pdfs.hdf5")
            for path in self.predictions
            if Path(path).parts[-2] in ("trees", "local", "ensemble")
        ]
        for path in self.pdfs:
            write_densities(path)
        for path in self.models:
            self.write_card(path)
        self.bundles = list({path: None for its in self.targets.values() for path in its.models})
        for path in self.bundles:
            Path(path).mkdir(parents=True)
            Path(path, "bundle.json").write_text(json.dumps(manifest(Path(path).name)))

    def write(self, item):
        path = Path(item.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if item.kind == "table" and item.stage == "estimate":
            write_csv(of_target(item), path)
        elif item.kind == "table" and item.sample:
            write_csv(table(item, self.run, self.samples), path)
        elif item.kind == "table":
            write_csv(pd.DataFrame({"zspec": [0.0, 0.1], "g_r": [0.7, 0.8]}), path)
        elif item.kind == "data":
            entries = {"data_digest": digest(item.sample, item.name), "extinction_applied": True}
            columns = {"row_id": range(5000)}
            if item.sample == "mixed":
                columns["objid"] = range(10**18, 10**18 + 5000)
            write_parquet(with_metadata(pa.table(columns), **entries), path)
        else:
            path.write_bytes(SVG.encode() if path.suffix == ".svg" else png())

    def write_predictions(self, path, **changes):
        sample, task, split, model = Path(path).parts[-5:-1]
        entries = {
            "sample": sample,
            "split": split,
            "model": model,
            "test_digests": {str(s): digest(sample, split, str(s)) for s in self.run.seeds},
            "cards": {
                str(s): {"device": "cpu", "dtype": "float64", "versions": {"numpy": "2.4.1"}}
                for s in self.run.seeds
            },
        }
        write_parquet(with_metadata(predictions(task, model), **(entries | changes)), path)

    def write_card(self, folder):
        sample, task, split, model, seed = Path(folder).parts[-5:]
        known = self.run.classifiers if task == "classify" else self.run.regressors
        settings = known[model].model_dump(mode="json")
        card = {
            "sample": sample,
            "split": split,
            "model": model,
            "seed": int(seed),
            "kind": settings["kind"],
            "features": ["model_color_ug", "model_color_gr"],
            "settings": settings,
            "training": {
                "0": {
                    "objects": {"train": 3997},
                    "digests": {"train": digest(sample, split, seed, "train")},
                }
            },
        }
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "card.json").write_text(json.dumps(card))

    def item(self, name, **wanted):
        return next(
            item
            for item in self.items
            if item.name == name and all(getattr(item, k) == v for k, v in wanted.items())
        )

    def build(self, output="results"):
        """Build the report into a folder and return its pages: the index and one by sample."""
        samples = {name: json.loads(sample.canonical()) for name, sample in self.samples.items()}
        names = [*self.run.samples]
        estimated = [
            (name, json.loads(its.target.canonical()), its.models, its.tasks)
            for name, its in self.targets.items()
        ]
        self.output = Named(
            report=f"{self.folder}/{output}/report.html",
            pages=[
                f"{self.folder}/{output}/report/{name}.html" for name in [*names, *self.targets]
            ],
            cards=[f"{self.folder}/{output}/{name}/cards" for name in names],
            tables=[f"{self.folder}/{output}/{name}/tables" for name in names],
        )
        inputs = {
            "contents": [item.path for item in self.items],
            "predictions": self.predictions,
            "pdfs": self.pdfs,
            "models": self.models,
            "published": self.published,
            "bundles": self.bundles,
        }
        run(
            build_report,
            inputs,
            self.output,
            run=self.run.canonical(),
            samples=json.dumps(samples),
            targets=json.dumps(estimated),
        )
        paths = [self.output.report, *self.output.pages]
        names = ["index", *names, *self.targets]
        texts = [Path(path).read_text(encoding="utf-8") for path in paths]
        return dict(zip(names, texts, strict=True))
