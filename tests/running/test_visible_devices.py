"""Names of devices, as CUDA, nvidia-smi and users write them."""

import pytest

from sdssflow.running.devices import Card, list_cards, named_devices, visible_devices

LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 3g.20gb     Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-8f2d1f4b-0000-1111-2222-333344445555)
"""
CARDS = [
    Card(
        "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f",
        ["MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d"],
    ),
    Card("GPU-8f2d1f4b-0000-1111-2222-333344445555"),
]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [*CARDS[0].instances, CARDS[1].uuid]),
        ("1", [CARDS[1].uuid]),
        ("1, 0", [CARDS[1].uuid, *CARDS[0].instances]),
        ("1,1", [CARDS[1].uuid]),
        ("GPU-8f2d1f4b", [CARDS[1].uuid]),
        ("MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d", [CARDS[0].instances[1]]),
        ("1,7,0", [CARDS[1].uuid]),
        ("2", []),
        ("GPU-unknown", []),
        ("", []),
    ],
)
def test_every_name_of_a_device_becomes_the_one_that_all_processes_know(
    nvidia_smi, monkeypatch, visible, expected
):
    nvidia_smi(LISTING)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_devices() == expected


def test_nvidia_smi_is_read_and_may_fail(nvidia_smi, caplog):
    assert list_cards() is None
    nvidia_smi(LISTING)
    assert list_cards() == CARDS
    nvidia_smi("NVIDIA-SMI has failed\n", status=9)
    assert list_cards() is None
    assert "NVIDIA-SMI has failed" in caplog.text


def test_without_nvidia_smi_entries_are_taken_as_they_are():
    assert named_devices("GPU-1,0,MIG-GPU-2/1/0,x,3", None) == ["GPU-1", "0", "MIG-GPU-2/1/0"]
