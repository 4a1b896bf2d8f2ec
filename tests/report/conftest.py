"""A finished run in small: every file that the report shows, in the documented formats."""

import json
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import build_report
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.report.contents import contents, models, pdf_models
from sdssflow.tables import with_metadata, write_csv, write_parquet

CLASSES = ("GALAXY", "QSO", "STAR")
METRICS = {
    "classify": {"accuracy": 0.96, "macro_f1": 0.93, "log_loss": 0.11, "ece": 0.012},
    "regress": {"sigma_nmad": 0.0123, "r2": 0.887, "bias": -0.0002},
    "pdf": {"crps": 0.0071, "pit_ks": 0.021, "conformal_95": 0.951, "sharpness_68": 0.012},
}


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
            "figures": {"format": figure_format},
        }
    )
    column = {"spec_class": "class", "zspec": "z"} | {f"model_mag_{b}": b for b in "ugriz"}
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


def predictions(task, model):
    """Forty objects of one seed; every model errs otherwise, by an amount that its name gives."""
    rows = range(40)
    table = {"row_id": rows, "seed": [1] * 40, "reference_mag": [15 + 0.1 * i for i in rows]}
    if task == "regress":
        shift = len(model) / 1000
        zspec = [0.05 + 0.005 * i for i in rows]
        zphot = [z + shift * (i - 20) / 5 for i, z in enumerate(zspec)]
        return pa.table(table | {"zspec": zspec, "zphot": zphot})
    star = [0.05 + 0.9 * (i % 3 == 0) for i in rows]
    table |= {"spec_class": ["STAR" if i % 4 == 0 else "GALAXY" for i in rows]}
    table |= {"probability_GALAXY": [1 - p for p in star], "probability_QSO": [0.0] * 40}
    return pa.table(table | {"probability_STAR": star})


SVG = '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>\n'


def digest(*words):
    return f"{zlib.crc32('/'.join(words).encode()):08x}0000"


def scores(item, names, seeds, generator, binned=False, of="regress"):
    rows = []
    for place, model in enumerate(names):
        for seed in [*map(str, seeds), "all"]:
            for metric, value in METRICS[of if item.room == "regress" else item.room].items():
                shift = value * (1 + 0.02 * place + 0.001 * generator.standard_normal())
                subsets = ["all", *(CLASSES if metric == "accuracy" else ())]
                bins = [("reference_mag", 15.0, 17.5), ("reference_mag", 17.5, 19.0)]
                for subset in subsets:
                    row = {
                        "model": model,
                        "seed": seed,
                        "metric": metric,
                        "convention": f"convention of {metric}",
                        "subset": subset,
                        "value": shift,
                        "lower": shift - abs(0.02 * value),
                        "upper": shift + abs(0.02 * value),
                        "n": 1000,
                        "data_digest": digest(item.sample, item.split, seed),
                    }
                    ends = dict.fromkeys(["variable", "bin_low", "bin_high"])
                    rows += [
                        row | dict(zip(ends, one, strict=True)) for one in (bins if binned else [])
                    ] or [row]
    return pd.DataFrame(rows)


def point_scores(frame):
    """Scores of the three summaries, as pdf_scores.csv holds them beside those of p(z)."""
    rows = frame[frame["metric"] == "crps"].assign(metric="sigma_nmad")
    conventions = [f"of the {point}" for point in ("mean", "median", "mode")]
    parts = [rows.assign(convention=convention) for convention in conventions]
    return pd.concat([frame, *parts], ignore_index=True)


def stacks(names):
    moments = {"stacked": 0.1234, "true": 0.1213, "difference": 0.0021}
    rows = []
    for model in names:
        for number in ("1", "2", "all"):
            row = {"model": model, "tomographic_bin": number, "zphot_low": 0.05}
            row |= {"zphot_high": 0.3, "n": 500}
            row |= {f"{m}_{k}": v for m in ("mean", "width") for k, v in moments.items()}
            row |= {"mean_lower": 0.0011, "mean_upper": 0.0031}
            row |= {"width_lower": -0.0011, "width_upper": 0.0051}
            rows.append(row)
    return pd.DataFrame(rows)


def confusion(names):
    rows = [
        (model, "all", true, predicted, 900 if true == predicted else 10 * (place + 1))
        for model in names
        for place, true in enumerate(CLASSES)
        for predicted in CLASSES
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "truth", "predicted", "count"])


def search():
    rows = [(1, 20, 0.1, 0.0081, 0.0, 0.0), (1, 20, 0.3, 0.0078, -0.0003, 0.0001)]
    columns = ["round", "epochs", "weight_decay", "crps", "difference", "standard_error"]
    return pd.DataFrame(rows, columns=columns).assign(kept=[False, True], fold=0)


def differences(item, names):
    metric = {"classify": "macro_f1", "regress": "sigma_nmad"}[item.room]
    metric = "crps" if item.name == "pdf_differences" else metric
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return pd.DataFrame(
        [
            {"model": a, "other": b, "metric": metric, "value": -0.01, "lower": -0.02, "upper": up}
            for (a, b), up in zip(pairs, [0.005, -0.001, 0.004], strict=False)
        ]
    )


def table(item, run, samples):
    generator = np.random.default_rng(5)
    names = models(run, samples[item.sample], item.room) if item.split else []
    of_pdfs = pdf_models(run, samples[item.sample])
    match item.name:
        case "defects":
            frame = {
                "column": ["zspec"],
                "defect": ["exactly 0"],
                "count": [3],
                "action": ["kept"],
                "example_row": [1234],
            }
            return pd.DataFrame(frame if item.sample == "mixed" else {k: [] for k in frame})
        case "flow_table":
            frame = {"step": [0, 1], "cut": ["catalogue", "nonzero_redshift"]}
            return pd.DataFrame(
                frame | {"before": [5000, 5000], "removed": [0, 3], "after": [5000, 4997]}
            )
        case "parts":
            return pd.DataFrame({"fold": 0, "part": ["train", "test"], "rows": [3997, 1000]})
        case "scores":
            return scores(item, names, run.seeds, generator)
        case "scores_by_bin":
            return scores(item, names, run.seeds, generator, binned=True)
        case "differences":
            return differences(item, names)
        case "pdf_scores":
            return point_scores(scores(item, of_pdfs, run.seeds, generator, of="pdf"))
        case "pdf_scores_by_bin":
            return scores(item, of_pdfs, run.seeds, generator, binned=True, of="pdf")
        case "pdf_differences":
            return differences(item, of_pdfs)
        case "redshift_stacks_summary":
            return stacks(of_pdfs)
        case "search":
            return search()
        case "confusion_table":
            return confusion(names)
        case _:
            return pd.DataFrame({"model": ["a", "b"], "value": [0.25, np.nan], "count": [1, 20000]})


class Results:
    """A folder of results with its configuration, and the rule that reads it."""

    def __init__(self, folder, figure_format="png"):
        self.folder = Path(folder)
        self.run, self.samples = configuration(figure_format)
        self.items = contents(self.run, self.samples, f"{folder}/results")
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
        for path in self.models:
            self.write_card(path)

    def write(self, item):
        path = Path(item.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if item.kind == "table" and item.sample:
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
            "training": {"0": {"objects": 3997, "digest": digest(sample, split, seed, "train")}},
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
        names = self.run.samples
        self.output = SimpleNamespace(
            report=f"{self.folder}/{output}/report.html",
            pages=[f"{self.folder}/{output}/report/{name}.html" for name in names],
            cards=[f"{self.folder}/{output}/{name}/cards" for name in names],
            tables=[f"{self.folder}/{output}/{name}/tables" for name in names],
        )
        snakemake = SimpleNamespace(
            input=Input(
                contents=[item.path for item in self.items],
                predictions=self.predictions,
                models=self.models,
                published=self.published,
            ),
            params=SimpleNamespace(run=self.run.canonical(), samples=json.dumps(samples)),
            output=self.output,
        )
        build_report.main(snakemake)
        paths = [self.output.report, *self.output.pages]
        names = ["index", *names]
        texts = [Path(path).read_text(encoding="utf-8") for path in paths]
        return dict(zip(names, texts, strict=True))


class Input(dict):
    """Named inputs as Snakemake hands them on: by attribute and by `get`."""

    __getattr__ = dict.__getitem__


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path)


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    return Results(tmp_path_factory.mktemp("run")).build()


@pytest.fixture(scope="session")
def svg_pages(tmp_path_factory):
    return Results(tmp_path_factory.mktemp("run"), "svg").build()
