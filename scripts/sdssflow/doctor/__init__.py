"""Checks of why a run does not start: what this machine, folder and profile lack.

``python -m sdssflow.doctor`` runs them. Each module covers one subject; each check takes what it
examines as arguments and returns a `Finding`. Nothing here starts a job or requests data from a
server, and no other module of the project imports it.
"""
