"""Typed configuration: the one source of the JSON schema, the defaults and their documentation.

Snakemake imports this package each time it parses the workflow, so it needs pydantic and PyYAML
and nothing heavier.
"""
