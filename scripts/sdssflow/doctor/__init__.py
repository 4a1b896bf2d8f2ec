"""Why a run does not start: what this machine, this folder and this profile lack.

``python -m sdssflow.doctor`` asks; each module looks at one subject, and each of its checks takes
what it looks at as arguments and returns a `Finding`. Nothing here starts a job or asks a server
for data, and no other module of the project imports it.
"""
