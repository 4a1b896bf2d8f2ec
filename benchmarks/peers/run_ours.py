"""Train this project's model and let it predict: one whole process, as `run_peer.py` is for a peer.

    PYTHONPATH=scripts python benchmarks/peers/run_ours.py TRAIN.hdf5 TEST.hdf5 OUT.hdf5

`grid_ours.py` brings what it writes onto the grid, as `grid_peer.py` does for a peer.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import torch

import sdssflow
from sdssflow.configuration.networks import MixtureEnsemble
from sdssflow.prepare.parts import Part
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.summaries import summarise
from sdssflow.regress.ensemble_training import fit as train_ensemble
from sdssflow.regress.mixture_networks import MixtureNetworks, predict_pdf
from sdssflow.regress.recalibration import fit_width, shrunk_width
from sdssflow.regress.settings_search import search_settings

SEED = 1


def read_parts(path: Path) -> dict[str, Part]:
    """Return the parts of a file of `export_rows.py` by name: train, validation, ...; test.

    Redshifts are read from where the peers find them: test objects have none.
    """
    with h5py.File(path) as file:
        rows = file["sdssflow"]
        names = tuple(rows["features"].attrs["names"])
        columns = {name: rows[name][()] for name in ("features", "row_id", "reference_mag")}
        words = {name: rows[name].asstr()[()].astype(str) for name in ("group", "part")}
        zspec = file["photometry/zspec"][()] if "photometry/zspec" in file else None
        digest = str(file.attrs["digest"])

    def part(name: str) -> Part:
        chosen = words["part"] == name
        return Part(
            features=columns["features"][chosen],
            feature_names=names,
            row_id=columns["row_id"][chosen],
            group_key=pa.array(words["group"][chosen]),
            reference_mag=columns["reference_mag"][chosen],
            spec_class=None,
            zspec=None if zspec is None else zspec[chosen],
            digest=f"{digest}:{name}",
        )

    return {str(name): part(name) for name in np.unique(words["part"])}


def fit(parts: dict[str, Part]) -> MixtureNetworks:
    """Choose the noise and train the ensemble, as rules search_settings and train_network do."""
    given = SEED, parts["train"], parts["validation"], torch.device("cpu")
    settings, _ = search_settings(MixtureEnsemble(kind="mixture_ensemble"), *given)
    return train_ensemble(settings, *given).networks


def predict(networks: MixtureNetworks, parts: dict[str, Part], objects: Part) -> Mixture:
    """Return recalibrated p(z), as rules calibrate_pdfs and predict_pdfs make them."""
    held_back = parts["calibration"]
    pdf = predict_pdf(networks, held_back.features, held_back.feature_names)
    width = shrunk_width(fit_width(pdf, held_back.zspec), len(held_back))
    pdf = predict_pdf(networks, objects.features, objects.feature_names).rescaled(width)
    summarise(pdf, "best")  # the peers make their point estimates here as well
    return pdf


def write(pdf: Mixture, path: Path) -> None:
    """Write the components of p(z)."""
    with h5py.File(path, "w") as file:
        for name in ("weights", "means", "scales"):
            file[name] = getattr(pdf, name)
        file.attrs["lower"], file.attrs["upper"] = pdf.lower, pdf.upper


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("train", "test", "out"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    parts, objects = read_parts(options.train), read_parts(options.test)["test"]
    torch.set_num_threads(1)  # as rule train_network does: small networks gain nothing from two
    started = time.perf_counter()
    networks = fit(parts)
    fit_s = time.perf_counter() - started
    started = time.perf_counter()
    pdf = predict(networks, parts, objects)
    predict_s = time.perf_counter() - started
    write(pdf, options.out)
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "torch")}
    told = {
        "fit_s": fit_s,
        "predict_s": predict_s,
        "versions": {"sdssflow": sdssflow.__version__, **packages},
    }
    options.out.with_suffix(".json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
