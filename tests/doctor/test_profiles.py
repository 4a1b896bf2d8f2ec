from dataclasses import replace
from pathlib import Path

import pytest

from sdssflow.doctor.findings import FAULT, OK, WARNING
from sdssflow.doctor.profiles import (
    Answers,
    ProfileError,
    ask_snakemake,
    check_keys,
    check_rule_names,
    check_site,
    check_snakemake,
    find_profile,
    load_profile,
)

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "profiles").glob("[!d]*/profile.yaml"))
SNAKEFILE = ROOT / "Snakefile"
KNOWN = Answers("9.27.1", ("jobs", "retries", "executor", "slurm-logdir"), ("local",))


# profiles/default is looked at by the test of the doctor as a whole
@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_shipped_profiles_are_healthy_and_snakemake_says_what_their_jobs_ask_for(
    path, tmp_path, monkeypatch
):
    (tmp_path / "config").symlink_to(ROOT / "config")
    monkeypatch.chdir(tmp_path)
    answers, profile = ask_snakemake(SNAKEFILE, path), load_profile(path)
    assert not answers.trouble and not answers.imports_torch
    assert {"jobs", "set-resources", "rerun-incomplete"} <= set(answers.keys)
    assert check_keys(profile, answers).state == OK
    assert check_rule_names(profile, answers.rules).state == OK
    assert check_site(profile).state == OK
    gpus = {demand.rule for demand in answers.demands if demand.gpu}
    assert gpus == {"train_network", "search_settings"}
    rules = {demand.rule for demand in answers.demands}
    assert {"train_regressor", "build_report", "simulate_sky", "estimate_partition"} <= rules
    assert "import_bulk" not in rules  # no sample of the default configuration is one
    if profile.executor == "slurm":
        assert "download_chunk" not in rules  # it runs where Snakemake runs
        calls = {(d.rule, d.attempt): " ".join(d.sbatch) for d in answers.demands}
        assert "--mem 800" in calls["train_regressor", 1]
        assert "--mem 1600" in calls["train_regressor", 2]
        assert "--gpus=1" in calls["train_network", 1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["config"]


def test_set_resources_and_configuration_files_count(tmp_path, monkeypatch):
    (tmp_path / "config").symlink_to(ROOT / "config")
    bundle = "{sample: mclass, split: folds, model: forest, refit: true}"
    (tmp_path / "mine.yaml").write_text(f"samples: [mclass]\nbundles: {{kept: {bundle}}}\n")
    (tmp_path / "profile.yaml").write_text(
        "executor: slurm\ndefault-resources: {slurm_partition: cpu}\nset-resources:\n"
        "  train_classifier: {mem_mb: 2 * attempt, runtime: 2h, slurm_account: us}\n"
        "set-threads: {train_classifier: 3}\n"
    )
    monkeypatch.chdir(tmp_path)
    answers = ask_snakemake(SNAKEFILE, Path("profile.yaml"), [Path("mine.yaml")])
    (train,) = (d for d in answers.demands if d.rule == "train_classifier")
    for option in ("-A us", "-p cpu", "-t 120", "--mem 2", "--cpus-per-task=3"):
        assert option in " ".join(train.sbatch)
    assert not {"train_network", "simulate_sky"} & {d.rule for d in answers.demands}
    assert {d.gpu for d in answers.demands if d.rule == "refit_model"} == {1}


def test_snakemakes_own_complaint_is_passed_on(profile_of):
    profile = profile_of("jobs: many\n")
    found = check_keys(profile, ask_snakemake(SNAKEFILE, profile.path))
    assert found.state == FAULT and "must be integer" in found.found


def test_a_snakemake_that_can_not_be_imported_is_a_fault(tmp_path, monkeypatch):
    (tmp_path / "snakemake.py").write_text("raise ImportError('broken plugin')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = check_snakemake(ask_snakemake(SNAKEFILE), "local")
    assert found.state == FAULT and "broken plugin" in found.found


def test_executors_need_their_plugins_and_those_no_torch():
    assert check_snakemake(KNOWN, "local").state == OK
    found = check_snakemake(KNOWN, "slurm")
    assert found.state == FAULT and "snakemake-executor-plugin-slurm" in found.advice
    assert check_snakemake(replace(KNOWN, imports_torch=True), "local").state == WARNING


def test_profile_by_file_folder_or_name(tmp_path):
    path = tmp_path / "profiles/mine/profile.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("jobs: 1\n")
    for name in ("mine", "profiles/mine", "profiles/mine/profile.yaml", str(path.parent)):
        assert find_profile(name, [Path("/nowhere"), tmp_path]) == path
    with pytest.raises(ProfileError, match=r"no such profile.*mine"):
        find_profile("yours", [tmp_path])


@pytest.mark.parametrize(
    ("text", "message"),
    [("jobs: [1\nretries: 2\n", r":\d+: not valid YAML"), ("- jobs\n", "expected a mapping")],
)
def test_a_profile_that_can_not_be_read_names_file_and_line(profile_of, text, message):
    with pytest.raises(ProfileError, match=f"profile.yaml.*{message}"):
        profile_of(text)


def test_unknown_key_with_its_line_and_the_nearest_known(profile_of):
    found = check_keys(profile_of("# mine\njobs: 1\nretrys: 2\n"), KNOWN)
    assert found.state == FAULT
    assert "retrys (line 3)" in found.found and "retries instead of retrys" in found.advice
    assert check_keys(profile_of("__use_yte__: true\n--jobs: 1\n"), KNOWN).state == OK


def test_a_key_that_stands_twice_is_a_warning(profile_of):
    found = check_keys(profile_of("jobs: 1\nretries: 2\njobs: 3\n"), KNOWN)
    assert found.state == WARNING and "jobs (lines 1 and 3)" in found.found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("set-resources:\n  train: {gpu: 0}\n", "set-resources.train (line 2)"),
        ("set-threads:\n  trian_network: 2\n", "set-threads.trian_network (line 2)"),
        ("groups:\n  train_network: a\n  plot: a\n", "groups.plot (line 3)"),
        ("jobs: 1\nslurm-array-jobs: train_network, plot\n", "slurm-array-jobs (line 2)"),
        ("groups:\n  train_network: a\ngroup-components:\n  b: 2\n", "b (line 4)"),
    ],
)
def test_names_of_no_rule_are_faults_with_their_line(profile_of, text, shown):
    found = check_rule_names(profile_of(text), ["train_network", "search_settings"])
    assert found.state == FAULT and shown in found.found and found.advice


def test_known_rules_are_ok_and_those_that_can_not_be_read_a_warning(profile_of):
    profile = profile_of("slurm-array-jobs: all\nset-resources:\n  train_network: {gpu: 0}\n")
    assert check_rule_names(profile, ["train_network"]).state == OK
    assert check_rule_names(profile, []).state == WARNING


def test_placeholders_are_faults_with_their_line_unless_in_a_comment(profile_of):
    text = """\
        default-resources:
          # slurm_account: <your-account>
          slurm_partition: <your-partition> # from sinfo
          slurm_extra: "--comment=a<b"
        """
    found = check_site(profile_of(text))
    assert found.state == FAULT
    assert "line 3: <your-partition>" in found.found and "account" not in found.found
    assert check_site(profile_of(text.replace("<your-partition>", "cpu"))).state == OK
