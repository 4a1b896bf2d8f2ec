"""A PATH with the programs that a test puts there and no others; profiles from text."""

from __future__ import annotations

import textwrap

import pytest

from sdssflow.doctor.profiles import load_profile


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Return a function that makes shell programs, the only ones that are found from then on."""

    def make(**scripts):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, script in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return make


@pytest.fixture
def profile_of(tmp_path):
    """Return a function that reads a profile from the text of its file."""

    def make(text):
        path = tmp_path / "profile.yaml"
        path.write_text(textwrap.dedent(text))
        return load_profile(path)

    return make
