import pytest

from sdssflow.doctor.demands import MEGABYTES, MINUTES, demand, group_demands, quantity
from sdssflow.doctor.rules import Amount, Rule

TRAIN = Rule(
    "train",
    threads=2,
    resources={"mem_mb": Amount(1000, grows=True), "runtime": Amount(60, grows=True),
               "gpu": Amount(1), "without_gpu": Amount("stop")},
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "units", "expected"),
    [
        (60, MINUTES, 60),
        ("90s", MINUTES, 2),
        ("1d", MINUTES, 1440),
        ("2 GB", MEGABYTES, 2000),
        ("1GiB", MEGABYTES, 1074),
        ("500 * 2 ** (attempt - 1)", {}, 1000),
        ("min(attempt * 4000, 6000)", {}, 6000),
        ("input.size_mb * 2", {}, None),
        ("__import__('os').getpid()", {}, None),
        ("1 / 0", {}, None),
        (None, {}, None),
    ],
)
def test_quantities(value, units, expected):
    assert quantity(value, units, attempt=2) == expected


def test_the_rule_alone(profile_of):
    asked = demand(TRAIN, profile_of("jobs: 1\n"), attempt=2)
    assert (asked.cpus, asked.mem_mb, asked.runtime, asked.gpus) == (2, 2000, 120, 1)
    assert asked.without_gpu == "stop" and asked.partition == ""


def test_the_profile_stands_over_the_rule_and_the_rule_over_defaults(profile_of):
    profile = profile_of(
        """\
        default-resources: {slurm_partition: cpu, mem_mb: 7, runtime: 7}
        set-threads: {train: 8}
        set-resources:
          train: {slurm_partition: gpu, mem: 4GB, gpu: 0, runtime: "30 * attempt"}
        """
    )
    asked = demand(TRAIN, profile, attempt=2)
    assert (asked.partition, asked.cpus, asked.gpus, asked.runtime) == ("gpu", 8, 0, 60)
    assert demand(Rule("other"), profile).mem_mb == 7
    assert demand(Rule("other"), profile).partition == "cpu"


def test_what_can_not_be_read_is_named(profile_of):
    profile = profile_of("set-resources: {train: {mem_mb: input.size_mb}}\n")
    assert demand(TRAIN, profile).unread == ("mem_mb",)
    rule = Rule("a", unread=("network", "runtime"))
    assert demand(rule, profile_of("jobs: 1\n")).unread == ("runtime",)
    assert demand(rule, profile_of("set-resources: {a: {runtime: 5}}\n")).unread == ()


def test_groups_ask_for_as_many_rules_as_run_at_a_time(profile_of):
    score = Rule("score", resources={"mem_mb": Amount(3000), "runtime": Amount(10)})
    text = "cores: 4\ngroups: {train: g, score: g, other: h}\ngroup-components: {g: 50}\n"
    (group,) = group_demands([TRAIN, score], profile_of(text))
    assert (group.rule, group.cpus, group.mem_mb) == ("group g", 4, 12000)
    assert group.runtime == 13 * 60
    (group,) = group_demands([TRAIN, score], profile_of(text + "resources: {mem_mb: 8000}\n"))
    assert group.mem_mb == 8000
    (group,) = group_demands([score], profile_of("groups: {score: g}\n"))
    assert (group.cpus, group.mem_mb, group.runtime) == (1, 3000, 10)
