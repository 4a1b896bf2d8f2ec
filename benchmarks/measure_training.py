"""Time the training of a batched ensemble, relative to single networks with a DataLoader.

`python benchmarks/measure_training.py` from the checkout; needs only torch, numpy, pyarrow and
scikit-learn, since a machine with a GPU may have no Snakemake. Runs on a GPU, if torch sees one,
otherwise on the CPU. Prints three Markdown tables:

1. training: member x object pairs per second of K members on N objects, and of a textbook loop (one
   network, a DataLoader, the loss read in every step) on the same device; utilisation and peak
   memory of the device;
2. the time of K members relative to one;
3. prediction: objects per second from features to p(z), and to its summaries.

The objects are simulated; speed does not depend on them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from markdown_tables import header, row

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from sdssflow.redshift_pdf.summaries import summarise
from sdssflow.regress.ensemble_training import redshift_program
from sdssflow.regress.mixture_networks import predict_pdf

NAMES = (
    *(f"model_color_{pair}" for pair in ("ug", "gr", "ri", "iz")),
    "model_mag_r",
    *(f"model_mag_err_{band}" for band in "ugriz"),
)
SETTINGS = {
    "hidden": [32, 32, 32],
    "activation": "tanh",
    "components": 3,
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "max_epochs": 120,
    "patience": 40,
    "checkpoint_epochs": 20,
    "blocks": 0,
    "noise": 0.5,
    "hide_bands": 0.0,
    "noise_aware": False,
    "deterministic": False,
}


class Part(SimpleNamespace):
    """A stand-in for a part of a split: the attributes that networks use, with a length."""

    def __len__(self):
        return len(self.zspec)


def part(count):
    """Return simulated objects: features and redshifts."""
    generator = np.random.default_rng(0)
    zspec = generator.uniform(0.01, 0.3, count)
    features = np.hstack(
        [
            zspec[:, None] * [6, 4, 1, 1, 20] + generator.normal(0, 0.1, (count, 5)),
            np.exp(generator.normal(-4, 0.5, (count, 5))),
        ]
    )
    return Part(features=features, zspec=zspec, feature_names=NAMES)


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


class Busy:
    """Utilisation of the GPU (by nvidia-smi) or of the process's threads (by CPU time)."""

    def __init__(self, device):
        self.gpu = device.type == "cuda" and shutil.which("nvidia-smi") is not None
        self.samples, self.done = [], threading.Event()

    def _sample(self):
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self.done.wait(0.2):
            self.samples.append(float(subprocess.check_output(query, text=True).split()[0]))

    def __enter__(self):
        if self.gpu:
            self.thread = threading.Thread(target=self._sample)
            self.thread.start()
        self.cpu, self.wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *error):
        self.cpu, self.wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        self.done.set()
        if self.gpu:
            self.thread.join()

    @property
    def percent(self):
        """Mean utilisation."""
        if self.gpu:
            return statistics.mean(self.samples) if self.samples else float("nan")
        return 100 * self.cpu / self.wall / torch.get_num_threads()


def time_ensemble(members, count, batch, device, seconds, precision, compiled):
    """Return member x object pairs per second, seconds per step, busy %, peak MB."""
    settings = SimpleNamespace(
        **SETTINGS,
        members=members,
        batch_size=batch,
        bfloat16=precision == "bfloat16",
        compiled=compiled,
    )
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    program = redshift_program(settings, 1, part(count), part(0), device, 0.0)
    state = program.first_state()
    batches = iter(())
    steps, warm = 0, 5

    def step():
        nonlocal batches
        found = next(batches, None)
        if found is None:
            batches = program.batches(state.generators)
            found = next(batches)
        program.take_step(state, 1, *found)

    for _ in range(warm):
        step()
    synchronise(device)
    with Busy(device) as busy:
        while steps < 5 or time.perf_counter() - busy.wall < seconds:
            step()
            steps += 1
            if steps % 20 == 0:
                synchronise(device)
        synchronise(device)
    memory = torch.cuda.max_memory_allocated() / 1e6 if device.type == "cuda" else float("nan")
    return members * batch * steps / busy.wall, busy.wall / steps, busy.percent, memory


def time_loader(count, batch, device, seconds):
    """Return objects per second and busy % of one network in a textbook loop."""
    given = part(count)
    x, y = (torch.tensor(values).float() for values in (given.features, given.zspec))
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y), batch_size=batch, shuffle=True, drop_last=True
    )
    widths = [10, *SETTINGS["hidden"], 3 * SETTINGS["components"]]
    layers = []
    for before, after in itertools.pairwise(widths):
        layers += [torch.nn.Linear(before, after), torch.nn.Tanh()]
    network = torch.nn.Sequential(*layers[:-1]).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    done, total = 0, 0.0
    with Busy(device) as busy:
        while time.perf_counter() - busy.wall < seconds:
            for x_batch, y_batch in loader:
                x_batch, y_batch = x_batch.to(device), y_batch.to(device)
                log_weights, means, log_scales = network(x_batch).chunk(3, dim=-1)
                mixture = torch.distributions.MixtureSameFamily(
                    torch.distributions.Categorical(logits=log_weights),
                    torch.distributions.Normal(means, log_scales.clamp(-6, 3).exp()),
                )
                loss = -mixture.log_prob(y_batch).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item()
                done += len(y_batch)
                if time.perf_counter() - busy.wall > seconds:
                    break
    return done / busy.wall, busy.percent


def time_prediction(members, count, device):
    """Return objects per second to p(z), and to p(z) with all its summaries."""
    settings = SimpleNamespace(
        **SETTINGS, members=members, batch_size=128, bfloat16=False, compiled=False
    )
    program = redshift_program(settings, 1, part(1000), part(0), device, 0.0)
    state = program.first_state()
    program.run_epoch(state, 1)
    networks, given = program.objective.networks(*program.trained(state)), part(count)
    rates = []
    for summary in (False, True):
        best = np.inf
        for _ in range(3):
            started = time.perf_counter()
            for start in range(0, count, 16384):
                rows = given.features[start : start + 16384]
                pdf = predict_pdf(networks, rows, NAMES)
                if summary:
                    summarise(pdf, "mean")
            best = min(best, time.perf_counter() - started)
        rates.append(count / best)
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--objects", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--batch", type=int, nargs="+", default=[256, 4096], help="one per N")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--predicted", type=int, default=200_000)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--compiled", action="store_true", help="on a GPU: the loss is compiled")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    card = torch.cuda.get_device_name() if cuda else f"{arguments.threads} CPU threads"
    precision = "bfloat16" if arguments.bfloat16 else "float32"
    print(f"{card}, torch {torch.__version__}, Python {platform.python_version()}, {precision}\n")
    header("N", "batch", "K", "pairs / s", "ms / step", "busy %", "peak MB", "against DataLoader")
    steps = {}
    for count, batch in zip(arguments.objects, arguments.batch, strict=True):
        loader, busy = time_loader(count, batch, device, arguments.seconds)
        row(f"{count:,}", batch, "1, DataLoader", f"{loader:,.0f}", "", f"{busy:.0f}", "", 1)
        for members in arguments.members:
            rate, step, busy, memory = time_ensemble(
                members, count, batch, device, arguments.seconds, precision, arguments.compiled
            )
            steps[count, members] = step
            row(
                f"{count:,}", batch, members, f"{rate:,.0f}", f"{1000 * step:.2f}", f"{busy:.0f}",
                f"{memory:,.0f}", f"{rate / loader:.1f}",
            )  # fmt: skip
    header("N", "K", "time of a step against K = 1")
    for (count, members), step in steps.items():
        if (count, 1) in steps and members > 1:
            row(f"{count:,}", members, f"{step / steps[count, 1]:.2f}")
    header("K", "features to p(z), objects / s", "with summaries, objects / s")
    for members in (1, 10):
        pdf, summaries = time_prediction(members, arguments.predicted, torch.device("cpu"))
        row(members, f"{pdf:,.0f}", f"{summaries:,.0f}")


if __name__ == "__main__":
    main()
