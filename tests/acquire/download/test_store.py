"""What stands in the store is believed only if it is what we would have written."""

import json
import os
import random

import pytest

from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.store import Record, Store, sha256
from tests.acquire.download.walk import as_nobody

BODY = b"#Table1\nn\n3\n" * 50
RECORD = Record("SELECT 1", sha256(BODY), 50, len(BODY), "2026-01-01T00:00:00+00:00", 1.5, 1)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "store")
    made.folder.mkdir()
    made.put(RECORD, BODY)
    return made


def files(store):
    (record,) = store.folder.glob("*.json")
    (answer,) = store.folder.glob("*.zst")
    return record, answer


def test_what_was_put_is_got(store):
    assert (store.get("SELECT 1"), store.record("SELECT 1")) == (BODY, RECORD)
    assert store.get("SELECT 2") is None


CHANGES = {
    "size of petabytes": {"size": 10**15},
    "size beyond 64 bits": {"size": 10**30},
    "size below none": {"size": -1},
    "size of one byte less": {"size": len(BODY) - 1},
    "size of one byte more": {"size": len(BODY) + 1},
    "size of the most": {"size": 256 * 2**20},
    "size as text": {"size": str(len(BODY))},
    "size as a number with a point": {"size": 600.5},
    "no digest": {"sha256": ""},
    "another digest": {"sha256": "0" * 64},
    "a digest that is none": {"sha256": "../../etc/passwd"},
    "rows below none": {"rows": -3},
    "seconds that are none": {"seconds": "NaN"},
    "another query": {"sql": "SELECT 2"},
    "a list for a query": {"sql": ["SELECT 1"]},
    "a key of a future version": {"version": 2},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_record_that_we_would_not_write_counts_as_none(store, name):
    record, _ = files(store)
    record.write_text(json.dumps(json.loads(record.read_text()) | CHANGES[name]))
    assert store.get("SELECT 1") is None
    store.put(RECORD, BODY)
    assert store.get("SELECT 1") == BODY


SPOILT = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "not JSON": lambda path: path.write_bytes(b"\xff\xfe\0garbage"),
    "another JSON": lambda path: path.write_text("[1, 2]"),
    "null": lambda path: path.write_text("null"),
    "a number of a million digits": lambda path: path.write_text("9" * 10**6),
    "deeply nested": lambda path: path.write_text('{"sql":' * 100_000 + "1" + "}" * 100_000),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a device without end": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a terabyte": lambda path: os.truncate(path, 2**40),
    "gone": lambda path: path.unlink(),
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to("nothing")),
}


@pytest.mark.parametrize("which", [0, 1], ids=["record", "answer"])
@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_file_counts_as_none_and_is_replaced(store, which, name):
    SPOILT[name](files(store)[which])
    assert store.get("SELECT 1") is None
    store.put(RECORD, BODY)
    assert store.get("SELECT 1") == BODY


def test_a_folder_in_the_place_of_a_file_is_told(store):
    record, _ = files(store)
    record.unlink()
    record.mkdir()
    assert store.get("SELECT 1") is None
    with pytest.raises(DownloadError, match="can't be written: .*directory.*downloads.store"):
        store.put(RECORD, BODY)
    with pytest.raises(DownloadError, match="can't be written"):
        store.forget("SELECT 1")


def test_any_byte_of_an_answer_may_rot(store):
    _, answer = files(store)
    packed = answer.read_bytes()
    draw = random.Random(3)
    for at in draw.sample(range(len(packed)), min(len(packed), 40)):
        answer.write_bytes(packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :])
        found = store.get("SELECT 1")
        assert found in (None, BODY)  # zstd has bits that mean nothing


def test_a_file_of_another_user_that_can_not_be_read_counts_as_none(store):
    def replaced():
        mine = Store(store.folder)
        unread = mine.get("SELECT 1") is None
        mine.put(RECORD, BODY)
        return unread and mine.get("SELECT 1") == BODY

    for path in files(store):
        path.chmod(0o600)
    store.folder.chmod(0o777)
    as_nobody(store.folder, replaced)
    assert store.get("SELECT 1") == BODY
    assert [path.stat().st_mode & 0o777 for path in files(store)] == [0o666, 0o666]
