"""Scripts called as Snakemake calls them."""

from types import SimpleNamespace


class Named(dict):
    """Named files, by attribute and by key as in Snakemake."""

    __getattr__ = dict.__getitem__


def run(script, inputs, outputs, threads=1, **params):
    """Call the main function of a script; return its outputs by name."""
    named = SimpleNamespace(**params)
    job = SimpleNamespace(input=Named(inputs), output=Named(outputs), params=named, threads=threads)
    script.main(job)
    return job.output
