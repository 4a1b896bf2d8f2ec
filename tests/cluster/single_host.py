"""A real SLURM on this one machine: munged, slurmctld and a slurmd for each node, as any user.

``with SingleHost(folder, nodes) as slurm:`` starts it, and stops it on any way out but kill -9;
what a killed one left running is stopped by the next start in the same folder. Nothing outside of
`folder` is written, no daemon is signalled but by the process id it left there.

The GPUs are fakes that SLURM schedules like real ones. Its quirks, all met: gpu needs a `File=`
that exists; a job step loses SLURM_CONF, so srun is wrapped; without a database sacct has nothing
to say, so squeue has to be asked.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import string
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "srun"]
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Node:
    """A node to be played: what SLURM may hand out of it, whatever the machine has."""

    name: str
    partition: str
    cpus: int
    memory_mb: int
    gpus: int = 0


def missing_programs() -> list[str]:
    """Return the programs of SLURM and munge that are not installed."""
    path = f"{os.environ['PATH']}:{SYSTEM_FOLDERS}"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


class SingleHost:
    """SLURM in a folder, as a context.

    Parameters
    ----------
    folder : pathlib.Path
        For configuration, logs, state and sockets; made new. Short: a socket's path has to stay
        below 108 characters.
    nodes : list of Node
        At least one.
    """

    def __init__(self, folder: Path, nodes: list[Node]):
        self.folder = folder.resolve()
        self.nodes = nodes
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}:{SYSTEM_FOLDERS}",
        }

    def __enter__(self) -> SingleHost:
        self.stop()  # left by one that was killed
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, *command: str) -> str:
        """Return what a SLURM command prints, with this SLURM's configuration."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def jobs(self) -> list[dict[str, str]]:
        """Return every job SLURM knows, running and finished, by the names of `scontrol`."""
        text = self.run("scontrol", "--oneliner", "show", "job", "--all")
        entries = (line.split(" ") for line in text.splitlines() if line.startswith("JobId="))
        return [dict(word.split("=", 1) for word in words if "=" in word) for words in entries]

    def start_node(self, name: str) -> None:
        """Start the slurmd of a node."""
        (self.folder / f"spool-{name}").mkdir(exist_ok=True)
        self.run("slurmd", "-N", name)

    def kill_node(self, name: str) -> None:
        """Kill the slurmd of a node as if the node had lost its power; its jobs' steps live on."""
        os.kill(int((self.folder / f"slurmd-{name}.pid").read_text()), signal.SIGKILL)

    def states(self) -> dict[str, str]:
        """Return the state of each node; a trailing `*` means that it doesn't answer."""
        return dict(line.split() for line in self.run("sinfo", "-hNo", "%N %t").splitlines())

    def stop(self) -> None:
        """Cancel all jobs and stop what runs, by the process ids in the folder."""
        if _alive(self.folder / "slurmctld.pid", "slurmctld"):
            for command in (["scancel", "--state=PENDING"], ["scancel", "--full"]):
                subprocess.run(
                    [*command, "--user", _user()],
                    env=self.environment, timeout=120, check=False, capture_output=True,
                )  # fmt: skip
            _until(lambda: not self._running(), 120)
        for path in [*self.folder.glob("slurmd-*.pid"), self.folder / "slurmctld.pid",
                     self.folder / "munged.pid"]:  # fmt: skip
            _stop(path, path.stem.split("-")[0])

    def _running(self) -> str:
        done = subprocess.run(
            ["squeue", "-h", "-t", "R,CG,PD"],
            env=self.environment, timeout=120, check=False, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def _start(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "state").mkdir()
        self.folder.chmod(0o755)
        self._configure()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(1024))
        munge = {"key-file": key, "socket": self.folder / "munge.socket",
                 "pid-file": self.folder / "munged.pid", "log-file": self.folder / "munged.log",
                 "seed-file": self.folder / "munged.seed"}  # fmt: skip
        self.run("munged", "--force", *(f"--{name}={path}" for name, path in munge.items()))
        self.run("slurmctld", "-c")
        for node in self.nodes:
            self.start_node(node.name)
        if not _until(lambda: set(self.states().values()) == {"idle"}, 600):
            logs = "\n".join(path.read_text()[-1500:] for path in self.folder.glob("slurm*.log"))
            raise RuntimeError(f"SLURM doesn't come up: {self.states()}\n{logs}")

    def _configure(self) -> None:
        host = socket.gethostname().split(".")[0]
        ports = _free_ports(1 + len(self.nodes))
        lines, gres = [], []
        for node, port in zip(self.nodes, ports[1:], strict=True):
            devices = [self._fake_gpu(number) for number in range(node.gpus)]
            gres += [f"NodeName={node.name} Name=gpu Type=fake File={d}" for d in devices]
            lines.append(
                f"NodeName={node.name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
                f"CPUs={node.cpus} RealMemory={node.memory_mb} "
                + (f"Gres=gpu:fake:{node.gpus}" if node.gpus else "")
            )
        partitions = {}
        for node in self.nodes:
            partitions.setdefault(node.partition, []).append(node.name)
        template = string.Template((Path(__file__).parent / "slurm.conf").read_text())
        filled = template.substitute(
            host=host,
            port=ports[0],
            user=_user(),
            folder=self.folder,
            nodes="\n".join(lines),
            partitions="\n".join(
                f"PartitionName={name} Nodes={','.join(nodes)} MaxTime=INFINITE State=UP"
                + (" Default=YES" if place == 0 else "")
                for place, (name, nodes) in enumerate(partitions.items())
            ),
        )
        (self.folder / "slurm.conf").write_text(filled)
        (self.folder / "gres.conf").write_text("\n".join(gres) + "\n")
        wrapper = self.folder / "bin/srun"
        srun = shutil.which("srun", path=self.environment["PATH"])
        wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {srun} "$@"\n')
        wrapper.chmod(0o755)

    def _fake_gpu(self, number: int) -> Path:
        """Make what stands for a GPU: a device like /dev/null for root, else a plain file."""
        path = self.folder / f"fakegpu{number}"
        if not path.exists():
            try:
                os.mknod(path, 0o666 | 0o020000, os.makedev(1, 3))
            except PermissionError:
                path.touch()
        return path


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _alive(pid_file: Path, program: str) -> int:
    """Return the process id if it is still that program and no zombie, else 0."""
    try:
        pid = int(pid_file.read_text())
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return 0
    return pid if text.startswith(f"{pid} ({program}) ") and ") Z" not in text else 0


def _stop(pid_file: Path, program: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = _alive(pid_file, program)
        if not pid:
            break
        os.kill(pid, number)
        _until(lambda: not _alive(pid_file, program), 120)
    pid_file.unlink(missing_ok=True)


def _until(condition, seconds: float) -> bool:
    """Wait until a condition holds; return whether it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
