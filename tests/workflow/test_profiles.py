"""Profiles name every rule that they have to, and none that isn't there."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "profiles").glob("*/profile.yaml"))
TEXT = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
BODIES = dict(
    re.findall(
        r"^(?:use )?rule (?:\w+ as )?(\w+)(?: with)?:\n(.*?)(?=^rule |^use rule |\Z)",
        TEXT,
        re.MULTILINE | re.DOTALL,
    )
)
LOCAL = {name for name, body in BODIES.items() if "localrule: True" in body}


def profile(name):
    return yaml.safe_load((ROOT / f"profiles/{name}/profile.yaml").read_text())


def test_on_a_cluster_every_rule_is_in_a_group_or_takes_long_or_stays_here():
    slurm = profile("slurm")
    alone = {"simulate_sky", "simulate_photometry", "simulate_oddities", "search_settings"}
    alone |= {"train_network", "refit_model", "build_report"}
    assert set(slurm["groups"]) == set(BODIES) - LOCAL - alone
    assert "slurm-array-jobs" not in slurm  # they hang where more are ready than `jobs`
    assert set(slurm["group-components"]) <= set(slurm["groups"].values())


def test_downloads_and_what_takes_a_moment_are_made_on_the_submit_host():
    downloads = {"plan_chunks", "download_chunk", "estimate_download", "fetch_file"}
    assert downloads | {"check_published", "check_estimates", "write_crate"} == LOCAL


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_profiles_set_resources_of_rules_that_are_there(path):
    content = yaml.safe_load(path.read_text())
    assert set(content.get("set-resources", {})) <= set(BODIES)


def test_profiles_that_submit_say_what_the_gpu_rules_get():
    # inside a job profiles/default is read again, and says gpu: 0 where nothing is passed on
    asking = {name for name, body in BODIES.items() if "gpu=1" in body}
    assert asking == {"train_network", "search_settings", "refit_model"}
    for path in PROFILES:
        content = yaml.safe_load(path.read_text())
        if "executor" in content:
            assert all("gpu" in content["set-resources"][name] for name in asking), path


def test_rules_know_of_no_cluster():
    for word in ("slurm", "account", "retries:", "group:"):
        assert word not in "\n".join(BODIES.values()), word


@pytest.mark.workflow
def test_a_name_of_no_rule_is_told(finished):
    given = ["--set-resources", "train_netwrk:mem_mb=1", "--set-threads", "score_pdfs=1"]
    done = finished.snakemake("--dry-run", *given)
    said = done.stdout + done.stderr
    assert "train_netwrk is no rule (did you mean 'train_network'?)" in said
    assert "score_pdfs is no rule" not in said
