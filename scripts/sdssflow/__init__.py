"""The science of sdssflow: pure functions by subject, importable without Snakemake.

The packages are the stages of the workflow in their order:
``acquire``, ``prepare``, ``explore``, ``classify``, ``regress``, ``evaluate``, ``report``.
Shared modules (``files``, ``tables``, ``logs`` ...) know of no stage.
"""

__version__ = "0.1.0"
