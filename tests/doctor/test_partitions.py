import pytest

from sdssflow.doctor.findings import FAULT, NOT_NEEDED, OK, WARNING
from sdssflow.doctor.nodes import read_partitions
from sdssflow.doctor.partitions import check_gpu_partitions, check_partitions
from sdssflow.doctor.rules import Amount, Rule

NODES = """\
cpu*|up|1-00:00:00|16|64000|(null)|idle
cpu*|up|1-00:00:00|32|128000|(null)|mixed
gpu|up|2:00:00|16|64000|gpu:a100:2(S:0-1)|idle
old|down|infinite|8|16000|(null)|idle
ill|up|infinite|8|16000|(null)|down*
"""
RULES = {
    "score": Rule("score", resources={"mem_mb": Amount(2000, grows=True),
                                      "runtime": Amount(60, grows=True)}),
    "train": Rule("train", resources={"gpu": Amount(1), "mem_mb": Amount(2000, grows=True),
                                      "runtime": Amount(60, grows=True)}),
    "fetch": Rule("fetch", local=True, resources={"mem_mb": Amount(10**9)}),
}  # fmt: skip
GPU = "set-resources: {train: {slurm_partition: gpu}}\n"


@pytest.fixture
def partitions(cluster):
    known, trouble = read_partitions(cluster(sinfo=f"/bin/cat <<'.'\n{NODES}.\n"))
    assert not trouble
    return known


def test_partitions_are_read(partitions):
    cpu, gpu = partitions["cpu"], partitions["gpu"]
    assert cpu.default and cpu.up and cpu.minutes == 1440
    assert [(node.cpus, node.mem_mb) for node in cpu.nodes] == [(16, 64000), (32, 128000)]
    assert not gpu.default and gpu.nodes[0].gpus == {"a100": 2}
    assert not partitions["old"].up and not partitions["ill"].nodes[0].works


def test_silence_is_passed_on(cluster):
    assert read_partitions(cluster(sinfo="echo no >&2; exit 1")) == ({}, "sinfo: no")


def test_rules_that_fit_are_ok(partitions, profile_of):
    found = check_partitions(RULES, profile_of(GPU), partitions)
    assert found.state == OK and "cpu, gpu: up" in found.found
    assert "2000 MB, 60 min" in found.found


@pytest.mark.parametrize(
    ("text", "shown", "advice"),
    [
        ("default-resources:\n  slurm_partition: cpuu\n", "profile.yaml:2: there is no", "cpu?"),
        ("default-resources: {slurm_partition: old}\n", "old is not up", "sinfo"),
        ("default-resources: {slurm_partition: ill}\n", "is working", "sinfo -R"),
        ("set-resources: {score: {runtime: 25h}}\n", "score asks for 1500 min, cpu gives 1440",
         "smaller `runtime` of score"),
        ("set-resources: {score: {mem_mb: 128001}}\n", "score asks for 1 CPUs and 128001 MB",
         "smaller `mem_mb`"),
        ("set-threads: {score: 33}\n", "score asks for 33 CPUs", "`cpus_per_task`"),
    ],
)  # fmt: skip
def test_a_rule_that_never_fits_is_a_fault(partitions, profile_of, text, shown, advice):
    found = check_partitions(RULES, profile_of(text), partitions)
    assert found.state == FAULT, found
    assert shown in found.found and advice in found.advice


def test_memory_and_cpus_have_to_be_on_one_node(cluster, profile_of):
    nodes = "cpu*|up|infinite|64|1000|(null)|idle\\ncpu*|up|infinite|1|64000|(null)|idle"
    known, _ = read_partitions(cluster(sinfo=f"printf '{nodes}\\n'"))
    found = check_partitions(RULES, profile_of("set-threads: {score: 2}\n"), known)
    assert found.state == FAULT and "has both" in found.found


def test_no_default_partition_is_a_fault(cluster, profile_of):
    known, _ = read_partitions(cluster(sinfo="echo 'cpu|up|infinite|4|8000|(null)|idle'"))
    found = check_partitions(RULES, profile_of("jobs: 1\n"), known)
    assert found.state == FAULT and "slurm_partition" in found.advice


def test_a_last_attempt_that_does_not_fit_is_a_warning(partitions, profile_of):
    assert check_partitions(RULES, profile_of(GPU + "retries: 1\n"), partitions).state == OK
    found = check_partitions(RULES, profile_of(GPU + "retries: 2\n"), partitions)
    assert found.state == WARNING
    assert "train, attempt 3, asks for 180 min, gpu gives 120" in found.found


def test_a_group_that_may_not_fit_is_a_warning(partitions, profile_of):
    text = "cores: 4\ngroups:\n  score: g\ngroup-components:\n  g: 200\n"
    found = check_partitions(RULES, profile_of(text), partitions)
    assert found.state == WARNING
    assert "group g may ask for 3000 min" in found.found and "profile.yaml:5" in found.advice
    found = check_partitions(RULES, profile_of("cores: 64\ngroups: {score: g}\n"), partitions)
    assert found.state == WARNING and "64 CPUs" in found.found and "profile.yaml:1" in found.advice


def test_what_is_not_read_is_a_warning(partitions, profile_of):
    text = "set-resources: {score: {mem_mb: input.size_mb}}\n"
    found = check_partitions(RULES, profile_of(text), partitions)
    assert found.state == WARNING and "score mem_mb" in found.found


def test_gpus_of_the_partition_are_ok(partitions, profile_of):
    found = check_gpu_partitions(RULES, profile_of(GPU), partitions)
    assert found.state == OK and "train: 1 of gpu" in found.found


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("jobs: 1\n", "`slurm_partition: gpu` for train"),
        ("set-resources: {train: {slurm_partition: gpu, gpu_model: h100}}\n", "a100"),
        ("set-resources: {train: {slurm_partition: gpu, gpu: 4}}\n", "`gpu: 0` for train"),
    ],
)
def test_gpus_that_are_not_there_are_a_fault(partitions, profile_of, text, advice):
    found = check_gpu_partitions(RULES, profile_of(text), partitions)
    assert found.state == FAULT and advice in found.advice


def test_without_rules_that_ask_for_gpus_none_are_needed(partitions, profile_of):
    text = "set-resources: {train: {gpu: 0}}\n"
    assert check_gpu_partitions(RULES, profile_of(text), partitions).state == NOT_NEEDED


def test_a_limit_of_no_gpus_does_not_reach_the_jobs(partitions, profile_of):
    found = check_gpu_partitions(RULES, profile_of("resources:\n  gpu: 0\n" + GPU), partitions)
    assert found.state == FAULT and "profile.yaml:2" in found.found
    assert "set-resources" in found.advice


def test_gpus_of_a_partition_that_is_not_there_are_left_to_that_row(partitions, profile_of):
    text = "set-resources: {train: {slurm_partition: none}}\n"
    assert check_gpu_partitions(RULES, profile_of(text), partitions).state == WARNING
