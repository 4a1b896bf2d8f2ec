"""Scripts called as Snakemake calls them."""

from pathlib import Path
from types import SimpleNamespace


class Named(dict):
    """Named files, by attribute and by key as in Snakemake."""

    __getattr__ = dict.__getitem__


def run(script, inputs, outputs, threads=1, resources=None, **params):
    """Call the main function of a script, which gets paths as text; return its outputs by name."""
    script.main(
        SimpleNamespace(
            input=texts(inputs),
            output=texts(outputs),
            params=texts(params),
            resources=Named({"gpu": 0} if resources is None else resources),
            threads=threads,
        )
    )
    return Named(outputs)


def texts(values):
    """Return values by name, with each path, or list of paths, as text."""

    def text(value):
        if isinstance(value, list):
            return [text(one) for one in value]
        return str(value) if isinstance(value, Path) else value

    return Named({name: text(value) for name, value in values.items()})
