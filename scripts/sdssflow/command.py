"""The command ``sdssflow``, a thin layer over Snakemake and the library.

It runs in any folder, to which results are written; parts of ``config/`` that are missing there are
taken from the project.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from sdssflow import __version__, failures
from sdssflow.configuration.loading import read_layers
from sdssflow.configuration.reading import ConfigurationError
from sdssflow.project import PROJECT

EXAMPLES = """
examples:
  sdssflow run                                  the default run, on the project's data
  sdssflow run --configfile mine.yaml -n        what a run of your own would do
  sdssflow run results/report.html --cores 4    one result, with all that it needs
  sdssflow plan --configfile mine.yaml          rows, time and disk of downloads, without a server
  sdssflow new sample mine my.fits              draft a definition from a table
  sdssflow estimate my.fits results/bundles/mgs_ensemble
  sdssflow show results/mgs/regress/published/scores.csv
  sdssflow compare ../before .                  what changed between two finished runs
  sdssflow doctor                               why a run does not start
"""
STATUSES = """
exit status:
  0    done
  1    a job failed, or an input was refused; for doctor and show: a problem was found
  2    invalid command line or configuration; for show: there is no record
  130  interrupted
"""
WHERE_IT_RUNS = {"--cores", "-c", "--jobs", "-j", "--profile", "--workflow-profile", "--executor"}


class Command(NamedTuple):
    """A subcommand: its description in one line, and its function."""

    what: str
    run: Callable[[Sequence[str]], int | None]


def snakemake(*fixed: str) -> Callable[[Sequence[str]], None]:
    """Return a function that replaces this process by Snakemake with fixed and given arguments."""

    def become(arguments: Sequence[str]) -> None:
        check_files(arguments)
        given = {argument.partition("=")[0] for argument in arguments}
        ours: list[str] = []  # before the given ones, which may end with -- and targets
        if not given & WHERE_IT_RUNS and not any(a.startswith(("-c", "-j")) for a in given):
            ours += ["--cores", "all"]
        if not given & {"--snakefile", "-s"}:
            ours += ["--snakefile", os.path.relpath(PROJECT / "Snakefile")]
        words = ["-m", "sdssflow.running.snakemake", *fixed, *ours, *arguments]
        os.execv(sys.executable, [sys.executable, *words])

    return become


def check_files(arguments: Sequence[str]) -> None:
    """Raise ConfigurationError if ``--configfile`` or ``--config`` can't be read.

    Snakemake reads them before the workflow, and its errors don't give the line.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", default=[])
    parser.add_argument("--config", "-C", nargs="*", default=[])
    given = parser.parse_known_args(arguments)[0]
    read_layers(given.configfile, given.config)


def main_of(module: str) -> Callable[[Sequence[str]], int | None]:
    """Return a function that imports a module and runs its `main`."""
    return lambda arguments: import_module(module).main(list(arguments))


def _new(arguments: Sequence[str]) -> int:
    from sdssflow.acquire import new_sample

    if arguments[:1] != ["sample"]:
        print("sdssflow new sample NAME TABLE; sdssflow new sample --help", file=sys.stderr)
        return failures.MISTAKEN
    new_sample.main(arguments[1:])
    return 0


def _completion(arguments: Sequence[str]) -> None:
    print(f"complete -o default -W '{' '.join(COMMANDS)}' sdssflow")


COMMANDS = {
    "run": Command("run the workflow; arguments are Snakemake's, targets and options", snakemake()),
    "plan": Command(
        "estimate rows, time and disk of downloads",
        snakemake("plan", "--forcerun", "estimate_download", "--quiet", "all"),
    ),
    "published": Command("compare with published numbers", snakemake("published")),
    "new": Command("new sample NAME TABLE: draft a sample from a table of your own", _new),
    "estimate": Command(
        "apply trained models to a table of your own", main_of("sdssflow.estimate.command")
    ),
    "show": Command(
        "show how a result was made, back to its sources", main_of("sdssflow.provenance.show")
    ),
    "compare": Command(
        "show the differences between two finished runs", main_of("sdssflow.report.compare")
    ),
    "doctor": Command("find out why a run does not start", main_of("sdssflow.doctor.__main__")),
    "completion": Command('completion for bash: eval "$(sdssflow completion)"', _completion),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand with its arguments; return the exit status."""
    words = "\n".join(f"  {name:10} {its.what}" for name, its in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="sdssflow",
        usage="sdssflow COMMAND ...",
        description="From an SDSS query to classes, photometric redshifts and a report.",
        epilog=f"commands:\n{words}\n{EXAMPLES}{STATUSES}\n"
        f"sdssflow COMMAND --help says more. The workflow: {PROJECT}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sdssflow {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    try:
        status = COMMANDS[given.command].run(given.rest) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # for example of `| head`: discard the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ConfigurationError as error:
        print(f"\n{error}", file=sys.stderr)
        return failures.MISTAKEN
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return failures.INTERRUPTED
