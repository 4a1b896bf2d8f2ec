"""Tables of a finished run in small, in the documented formats: what the report reads."""

import zlib

import numpy as np
import pandas as pd
import pyarrow as pa

from sdssflow.evaluate import learning, split_comparison
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.report import charts
from sdssflow.report.model_figures import models, pdf_models
from tests.redshift_pdf.mixtures import write_pdfs

CLASSES = ("GALAXY", "QSO", "STAR")
METRICS = {
    "classify": {"accuracy": 0.96, "macro_f1": 0.93, "log_loss": 0.11, "ece": 0.012},
    "regress": {"sigma_nmad": 0.0123, "r2": 0.887, "bias": -0.0002},
    "pdf": {"crps": 0.0071, "pit_ks": 0.021, "conformal_95": 0.951, "sharpness_68": 0.012},
}


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


def digest(*words):
    return f"{zlib.crc32('/'.join(words).encode()):08x}0000"


def scores(item, names, seeds, generator, binned=False, of="regress"):
    rows = []
    for place, model in enumerate(names):
        for seed in [*map(str, seeds), "all"]:
            for metric, value in METRICS[of if item.stage == "regress" else item.stage].items():
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
                        row
                        | {"value": shift * (1 + place / 99)}
                        | dict(zip(ends, one, strict=True))
                        for place, one in enumerate(bins if binned else [])
                    ] or [row]
    return pd.DataFrame(rows)


def point_scores(frame):
    """Scores of the three summaries, as pdf_scores.csv holds them beside those of p(z)."""
    rows = frame[frame["metric"] == "crps"].assign(metric="sigma_nmad")
    conventions = [f"of the {point}" for point in ("mean", "median", "mode", "best")]
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


def stacked(names):
    rows = [
        (model, number, 0.05, 0.3, 0.1 * place, 0.1 * (place + 1), 10.5 * place, 10 * place)
        for model in names
        for number in (1, 2)
        for place in range(1, 5)
    ]
    return pd.DataFrame(rows, columns=charts.STACKED_COLUMNS)


def reliability(names):
    rows = [
        (model, subset, low, low + 0.5, 20, low + 0.2, low + 0.21, low + 0.1, low + 0.3, low, 0.4)
        for model in names
        for subset in ("all", *CLASSES)
        for low in (0.0, 0.5)
    ]
    return pd.DataFrame(rows, columns=charts.RELIABILITY_COLUMNS)


def learning_curves():
    rows = [
        (task, "mean", part, metric, objects, 1 / objects, 0.9 / objects, np.nan)
        for task, metric in (("regress", "rms"), ("classify", "log_loss"))
        for part in ("validation", "test")
        for objects in (100, 1000)
    ]
    return pd.DataFrame(rows, columns=charts.CURVE_COLUMNS)


def write_densities(path, rows=range(40), seed=1):
    """Write a normal p(z) of each row, of width 0.02, at 0.1 and 0.005 more for each row_id."""
    means = 0.1 + 0.005 * np.array(rows)[:, None]
    pdf = Mixture(np.ones_like(means), means, np.full_like(means, 0.02), 0.0, 1.0)
    ancil = {"row_id": np.array(rows), "seed": np.full(len(rows), seed)}
    write_pdfs(path, 99, (pdf, ancil))


def confusion(names):
    rows = [
        (model, "all", true, predicted, 900 if true == predicted else 10 * (place + 1))
        for model in names
        for place, true in enumerate(CLASSES)
        for predicted in CLASSES
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "truth", "predicted", "count"])


def class_sets(item, names):
    rows = []
    for model in names:
        for subset in ("all", *CLASSES):
            row = {"model": model, "seed": "all", "metric": "class_set_90", "convention": "-"}
            row |= {"subset": subset, "value": 0.897, "lower": 0.881, "upper": 0.912, "n": 1000}
            row |= {"binomial_lower": 0.876, "binomial_upper": 0.915}
            row["data_digest"] = digest(item.sample, item.split, "all")
            rows.append(row | {"variable": "all", "bin_low": np.nan, "bin_high": np.nan})
            rows.append(row | {"variable": "reference_mag", "bin_low": 15.0, "bin_high": 19.0})
    return pd.DataFrame(rows)


def operating_points(item, names):
    row = {"aim": "purity", "wanted": 0.95, "threshold": 0.613, "seeds": 1, "chosen": 321, "n": 333}
    for of in ("purity", "completeness"):
        row |= {of: 0.957, f"{of}_lower": 0.941, f"{of}_upper": 0.969}
    none = {key: np.nan for key in row if key not in ("aim", "wanted", "seeds")}
    rows = [row, row | none | {"wanted": 0.99, "seeds": 0}]
    quoted = {"data_digest": digest(item.sample, item.split, "all")}
    about = [{"model": model, "subset": name} | quoted for model in names for name in CLASSES]
    return pd.DataFrame([one | row for one in about for row in rows])


def search():
    rows = [(1, 20, 0.1, 0.0081, 0.0, 0.0), (1, 20, 0.3, 0.0078, -0.0003, 0.0001)]
    columns = ["round", "epochs", "weight_decay", "crps", "difference", "standard_error"]
    return pd.DataFrame(rows, columns=columns).assign(kept=[False, True], fold=0)


def differences(item, names):
    metric = {"classify": "macro_f1", "regress": "sigma_nmad"}[item.stage]
    metric = "crps" if item.name == "pdf_differences" else metric
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return pd.DataFrame(
        [
            {"model": a, "other": b, "metric": metric, "value": -0.01, "lower": -0.02, "upper": up}
            for (a, b), up in zip(pairs, [0.005, -0.001, 0.004], strict=False)
        ]
    )


def comparison(item, run, sample):
    """Every split of a sample beside the first; on the second, models are worse."""
    base, other = sorted(sample.splits)
    rows = []
    for task in sample.tasks:
        for model in models(run, sample, task):
            for metric, value in METRICS[task].items():
                row = {"task": task, "model": model, "metric": metric, "convention": "-"}
                row |= {"lower": value - 0.001, "upper": value + 0.001, "n": 1000, "base": base}
                row["data_digest"] = digest(item.sample, "splits")
                rows.append(row | {"split": base, "value": value})
                row |= {"difference": 0.002, "difference_lower": 0.001, "difference_upper": 0.003}
                rows.append(row | {"split": other, "value": value + 0.002, "drawn_over": "plate"})
    return pd.DataFrame(rows, columns=split_comparison.COLUMNS)


def table(item, run, samples):
    generator = np.random.default_rng(5)
    names = models(run, samples[item.sample], item.stage) if item.split else []
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
        case "single_features":
            said = "auc above 0.99: is it a measurement?" if item.sample == "mixed" else ""
            frame = {"feature": ["model_color_ug", "flux"], "auc": [0.7, 0.999]}
            return pd.DataFrame(frame | {"of_class": "QSO", "remark": ["", said]})
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
        case "redshift_stacks_table":
            return stacked(of_pdfs)
        case "reliability_table":
            return reliability(names)
        case "learning_table":
            return learning_curves()
        case "search":
            return search()
        case "confusion_table":
            return confusion(names)
        case "covariate_shift":
            row = {"model": "forest", "seed": 1, "metric": "sigma_nmad", "convention": "-"}
            row |= {"unweighted": 0.0163, "weighted": 0.0145, "lower": 0.012, "upper": 0.0165}
            return pd.DataFrame([row | {"on_target": 0.0124, "n": 239, "effective_n": 193.04}])
        case "class_sets_table":
            return class_sets(item, names)
        case "operating_points":
            return operating_points(item, names)
        case "clusters_agreement":
            row = {"algorithm": "kmeans", "groups": 3, "truth": "spec_class", "n": 4997}
            ends = {"ari": 0.5, "ari_lower": 0.4, "ari_upper": 0.6}
            return pd.DataFrame(
                [row | ends | {k.replace("ari", "ami"): v for k, v in ends.items()}]
            )
        case "outliers":
            row = {"place": 1, "row_id": 1, "ra": 180.25, "dec": -0.5, "spec_class": "QSO"}
            row |= {"isolation_rank": 1, "sparsity_rank": 3, "reconstruction_rank": 2}
            row |= {"combined": 2, "feature": "model_color_ug", "deviation": -7.25}
            return pd.DataFrame([row, row | {"row_id": 2, "ra": np.nan, "spec_class": ""}])
        case "learning_fits":
            numbers = dict.fromkeys(learning.FIT_COLUMNS, 0.5)
            about = {"task": "regress", "model": "mean", "part": "test", "metric": "rms"}
            return pd.DataFrame([numbers | about | {"at_end": False}])
        case "split_comparison":
            return comparison(item, run, samples[item.sample])
        case _:
            return pd.DataFrame({"model": ["a", "b"], "value": [0.25, np.nan], "count": [1, 20000]})


def manifest(task):
    """What the bundle of a model says of itself."""
    models = {
        "classify": {"name": "classes_by_forest", "sample": "mixed", "split": "random"},
        "regress": {"name": "redshifts_by_trees", "sample": "mixed", "split": "folds"},
    }
    more = {"model": "trees", "kind": "random_forest", "seed": 7, "objects": 3997}
    more |= {"refit": task == "regress", "simulated": False, "licence": "BSD-3-Clause"}
    more |= {"tomographic_edges": [0, 0.07, 0.5] if task == "regress" else []}
    return {"format": "1.0", "task": task, **models[task], **more}


def of_target(item):
    """A table of a target: three partitions, of which one was set aside."""
    match item.name:
        case "partitions":
            rows = [
                ("a", "data/faint/a.csv", 5000, 4000, 30.0, 12.0, None, None),
                (
                    "b",
                    "data/faint/b.csv",
                    5000,
                    2000,
                    60.0,
                    24.0,
                    None,
                    "2 of its objects are in an earlier partition",
                ),
                ("c", "data/faint/c.csv", 0, 0, 0.0, 0.0, "c.csv: no column 'g' <here>", None),
            ]
            columns = ["partition", "path", "rows", "kept", "bytes_per_object"]
            return pd.DataFrame(
                rows, columns=[*columns, "pdf_bytes_per_object", "refused", "repeated"]
            )
        case "flow_table":
            rows = [
                ("partitions", 3, np.nan),
                ("rows as they came", 10000, 1.0),
                ("extinction_r: no position, E(B-V) 0.03 mag assumed", 15, 0.0015),
                ("removed by: model r \u2264 21 mag", 4000, 0.4),
                ("kept", 6000, 0.6),
                ("with class probabilities", 6000, 1.0),
                ("with p(z)", 5985, 0.9975),
                ("outside of the training part", 1230, 0.205),
            ]
            return pd.DataFrame(rows, columns=["what", "objects", "share"])
        case "shift":
            row = {"bundle": "redshifts_by_trees", "fold": 0, "reference": 2000, "drawn": 1500}
            return pd.DataFrame(
                [row | {"outside_training": 0.205, "auc": 0.83, "effective_n": 812}]
            )
        case "class_priors":
            rows = [
                ("GALAXY", 0.5, 0.4, 0.437, 0.421, 0.452, 0.46),
                ("QSO", 0.1, 0.1, 0.080, 0.071, 0.089, 0.07),
                ("STAR", 0.4, 0.5, 0.483, 0.461, 0.502, 0.47),
            ]
            names = ["class", "training", "assumed", "estimated", "lower", "upper", "most_probable"]
            return pd.DataFrame(rows, columns=names).assign(
                drawn=1500, objects=6000, empty_sets=0.26
            )
        case "truth_scores":
            row = {"model": "redshifts_by_trees", "seed": "all", "metric": "sigma_nmad"}
            row |= {"convention": "median subtracted", "subset": "GALAXY", "value": 0.0213}
            row |= {"lower": 0.0201, "upper": 0.0225, "n": 700, "data_digest": "abc"}
            return pd.DataFrame([row | {"scored": 1000, "objects": 6000}])
    raise KeyError(item.name)
