"""The science of sdssflow: pure functions by subject, importable without Snakemake.

The packages are the rooms of the workflow in the order data walks through them:
``acquire``, ``prepare``, ``explore``, ``classify``, ``regress``, ``evaluate``, ``report``.
Modules that stand beside them (``files``, ``tables``, ``logs`` ...) serve every room.
"""

__version__ = "0.1.0"
