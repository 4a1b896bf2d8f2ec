"""Servers of files that cut, drip, lie, flood or lead astray; and what becomes of the file."""

import gzip
import hashlib
import itertools
import os
import time
from pathlib import Path

import pytest

from sdssflow.acquire.download import public_files
from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.public_files import PublicFile, fetch
from sdssflow.configuration.downloads import Downloads
from tests.acquire.download.raw_server import head, honest, serving
from tests.skyserver.clocks import OWN

CONTENT = b"18.2 17.1 0.1\n" * 20_000
OTHER = b"another file\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MOST = 10**6


def in_turn(*answers):
    """A server that answers each request otherwise, and the last ones alike."""
    waiting = iter(answers)
    return lambda asked: next(waiting, answers[-1])(asked)


def cut(asked):
    return [head(len(CONTENT)), CONTENT[:100_000]]


def leading_to(address, code=302):
    return lambda asked: [head(0, code, f"Location: {address}")]


def fixed(*pieces):
    return lambda asked: pieces


@pytest.fixture
def place(tmp_path):
    return tmp_path / "results/s/download/rows.dat"


def network(place, **settings):
    store = str(place.parents[3] / "downloads")
    return Downloads(**{"store": store, "timeout_s": 60.0, "deadline_s": 600.0, **settings})


def get(place, *addresses, **settings):
    wanted = PublicFile(list(addresses), SHA256, MOST)
    return fetch(wanted, network(place, **settings), place, OWN)


def got(trusted, place, answer, **settings):
    """Fetch from one server, and return the heads of the requests that it got."""
    asked = []

    def pieces(request):
        asked.append(request)
        return answer(request)

    with serving(pieces, trusted) as url:
        get(place, f"{url}/data/rows.dat", **settings)
    assert place.read_bytes() == CONTENT
    return asked


def test_a_file_is_fetched_once(trusted, place):
    assert len(got(trusted, place, honest(CONTENT))) == 1
    place.unlink()
    get(place, "https://nowhere.example.org/rows.dat")
    assert place.read_bytes() == CONTENT


def test_what_is_kept_is_checked(trusted, place):
    got(trusted, place, honest(CONTENT))
    kept = place.parents[3] / "downloads/files" / SHA256
    kept.write_bytes(CONTENT[1:])
    assert len(got(trusted, place, honest(CONTENT))) == 1
    assert kept.read_bytes() == CONTENT


def test_a_download_goes_on_where_it_broke(trusted, place):
    asked = got(trusted, place, in_turn(cut, honest(CONTENT)))
    assert b"Range" not in asked[0]
    assert b"Range: bytes=100000-" in asked[1]


def test_a_slow_one_goes_on_after_the_deadline(trusted, place):
    partial = place.parents[3] / f"downloads/files/{SHA256}.part"

    def slow(asked):
        yield from cut(asked)
        while not partial.exists() or partial.stat().st_size < 100_000:
            time.sleep(0.05)
        while True:
            OWN.sleep(61.0)
            yield b"."
            time.sleep(0.05)

    asked = got(trusted, place, in_turn(slow, honest(CONTENT)))
    assert len(asked) > 1
    assert b"Range: bytes=10" in asked[1]


def test_a_later_run_goes_on_too(trusted, place):
    with pytest.raises(DownloadError, match="connection broke|can't be reached"):
        got(trusted, place, cut, attempts=1)
    assert not place.exists()
    (asked,) = got(trusted, place, honest(CONTENT))
    assert b"Range: bytes=100000-" in asked


@pytest.mark.parametrize(
    "rest",
    [
        lambda asked: [head(len(CONTENT)), CONTENT],  # that knows no Range
        lambda asked: [head(5, 206, "Content-Range: bytes 7-11/20"), b"wrong"],
        lambda asked: [head(5, 206, "Content-Range: bytes 100000-100004/9"), b"wrong"],
        lambda asked: [head(0, 416)],
        lambda asked: [head(0, 503, "Retry-After: 7")],
    ],
    ids=["whole", "another part", "another file", "none", "busy"],
)
def test_a_rest_that_does_not_fit_is_no_end(rest, trusted, place):
    got(trusted, place, in_turn(cut, rest, honest(CONTENT)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (honest(OTHER), f"a different file: {len(OTHER)} bytes with the SHA-256"),
        (fixed(head(404, 404)), "HTTP 404"),
        (fixed(head(0, 403)), "HTTP 403.*netrc"),
        (fixed(head(MOST + 1)), r"a file of more than 1 MB.*source.largest_mb"),
        (fixed(head(None, 200), *[bytes(1 << 20)] * 2), r"a file of more than 1 MB"),
        (
            fixed(head(None, 200, "Transfer-Encoding: chunked"), b"200000\r\n", bytes(2 << 20)),
            r"a file of more than 1 MB",
        ),
        (
            lambda asked: itertools.chain([head()], itertools.repeat(bytes(1000))),
            "a file of more than 1 MB",
        ),
        (
            leading_to("file:///etc/passwd"),
            "redirects to file:///etc/passwd, which is not followed: it is not https",
        ),
        (leading_to("http://127.0.0.1/rows.dat"), "which is not followed: it is not https"),
        (leading_to("ftp://me:secret@example.org/"), r"ftp://example.org/, which is not followed"),
        (leading_to("https://[::1/"), "it is not https"),
        (leading_to("/again"), "redirects more than 5 times"),
    ],
)
def test_what_is_not_the_file_is_refused_in_one_line(answer, message, trusted, place):
    with pytest.raises(DownloadError, match=message) as error:
        got(trusted, place, answer)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
    assert not place.exists()


def test_packed_on_the_way_is_not_the_file(trusted, place):
    bomb = gzip.compress(bytes(MOST - 1000))
    answer = fixed(head(len(bomb), 200, "Content-Encoding: gzip"), bomb)
    with pytest.raises(
        DownloadError, match=rf"{len(bomb):,} bytes.*it was sent as gzip without request"
    ):
        got(trusted, place, answer)


def test_a_packed_file_stays_packed_whatever_the_server_calls_it(trusted, place):
    packed = gzip.compress(CONTENT)
    wanted = PublicFile([], hashlib.sha256(packed).hexdigest(), MOST)
    pieces = fixed(head(len(packed), 200, "Content-Encoding: x-gzip"), packed)
    with serving(pieces, trusted) as url:
        fetch(wanted._replace(addresses=[f"{url}/a.gz"]), network(place), place, OWN)
    assert place.read_bytes() == packed


def test_another_server_may_have_it(trusted, place):
    with serving(honest(CONTENT), trusted) as further:
        got(trusted, place, leading_to(f"{further}/elsewhere"))


def test_a_refused_file_leaves_the_old_one(trusted, place):
    got(trusted, place, honest(CONTENT))
    wanted = PublicFile([], hashlib.sha256(OTHER).hexdigest(), MOST)
    with serving(honest(b"neither\n"), trusted) as url, pytest.raises(DownloadError):
        fetch(wanted._replace(addresses=[f"{url}/a"]), network(place), place, OWN)
    assert place.read_bytes() == CONTENT
    get(place)  # from the store


def test_addresses_are_asked_in_order(trusted, place):
    asked = []

    def noted(name, answer):
        return lambda request: asked.append(name) or answer(request)

    with (
        serving(noted("first", fixed(head(0, 404))), trusted) as first,
        serving(noted("second", in_turn(cut, fixed(head(0, 410)))), trusted) as second,
        serving(noted("third", honest(CONTENT)), trusted) as third,
        serving(noted("fourth", honest(CONTENT)), trusted) as fourth,
    ):
        found = get(place, *(f"{url}/rows.dat" for url in (first, second, third, fourth)))
        assert found == f"{third}/rows.dat"
    assert asked == ["first", "second", "second", "third"]
    assert place.read_bytes() == CONTENT


def test_of_several_addresses_it_is_said_what_was_wrong_with_each(trusted, place):
    with (
        serving(fixed(head(0, 404)), trusted) as first,
        serving(honest(OTHER), trusted) as second,
        pytest.raises(DownloadError, match=r"HTTP 404.*; https.*a different file.*source.mirrors"),
    ):
        get(place, f"{first}/a", f"{second}/a")


def test_a_busy_server_keeps_nobody_from_asking_another(trusted, place):
    busy = fixed(head(0, 503, "Retry-After: 3600"))
    before = OWN.monotonic()
    with serving(busy, trusted) as first, serving(honest(CONTENT), trusted) as second:
        assert get(place, f"{first}/a", f"{second}/a") == f"{second}/a"
    assert OWN.monotonic() - before < 3600


@pytest.mark.parametrize("make", [Path.symlink_to, lambda path, _: os.mkfifo(path)])
def test_a_part_that_is_no_plain_file_is_none_of_ours(make, trusted, place, tmp_path):
    other = tmp_path / "other"
    other.write_text("precious")
    partial = place.parents[3] / f"downloads/files/{SHA256}.part"
    partial.parent.mkdir(parents=True)
    make(partial, other)
    got(trusted, place, honest(CONTENT))
    assert other.read_text() == "precious"


def test_a_shared_store_is_shared(trusted, place):
    store = place.parents[3] / "downloads"
    store.mkdir()
    store.chmod(0o2777)
    mask = os.umask(0o077)
    try:
        got(trusted, place, in_turn(cut, honest(CONTENT)))
    finally:
        os.umask(mask)
    assert (store / "files" / SHA256).stat().st_mode & 0o666 == 0o666


def test_what_stands_in_a_query_is_not_told(trusted, place, caplog):
    with (
        serving(in_turn(fixed(head(0, 503)), fixed(head(0, 404))), trusted) as url,
        pytest.raises(DownloadError) as error,
    ):
        get(place, f"{url}/a?token=secret")
    assert "secret" not in str(error.value) + caplog.text


@pytest.mark.parametrize("host", ["data..example.org", "a" * 70 + ".example.org"])
def test_a_host_that_can_not_be_is_no_address(host, trusted, place):
    with pytest.raises(DownloadError, match="not a valid URL|can't be reached"):
        get(place, f"https://{host}/x", attempts=1)
    with pytest.raises(DownloadError, match="not a valid URL|can't be reached"):
        got(trusted, place, leading_to(f"https://{host}/x"), attempts=1)


def test_a_mirror_that_can_not_be_read_is_passed_over(trusted, tmp_path, place, monkeypatch):
    (tmp_path / "rows.dat").write_bytes(CONTENT)
    digest = public_files.file_digest

    def broken(path):
        if path.parent == tmp_path:
            raise OSError(5, "Input/output error", str(path))
        return digest(path)

    monkeypatch.setattr(public_files, "file_digest", broken)
    got(trusted, place, honest(CONTENT), mirror=str(tmp_path))


def test_a_certificate_of_nobody_is_asked_nothing(trusted, place, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    asked = []
    with (
        serving(lambda request: asked.append(request) or honest(CONTENT)(request), trusted) as url,
        pytest.raises(DownloadError, match="has no valid certificate"),
    ):
        get(place, f"{url}/a")
    assert not asked


@pytest.mark.parametrize(
    "under", ["rows.dat", "data/rows.dat", "nowhere.example.org/data/rows.dat"]
)
def test_a_mirrored_file_needs_no_network(under, tmp_path, place):
    copy = tmp_path / "mirror" / under
    copy.parent.mkdir(parents=True)
    copy.write_bytes(CONTENT)
    address = "https://nowhere.example.org/data/rows.dat?download=1"
    assert get(place, address, mirror=str(tmp_path / "mirror")) == str(copy)
    assert place.read_bytes() == CONTENT


def test_a_mirror_with_another_file_is_named(trusted, tmp_path, place):
    (tmp_path / "rows.dat").write_bytes(OTHER)
    with (
        serving(fixed(head(0, 404)), trusted) as url,
        pytest.raises(DownloadError, match=r"rows.dat has the SHA-256 .*; https.*HTTP 404"),
    ):
        get(place, f"{url}/rows.dat", mirror=str(tmp_path))


def test_a_store_that_can_not_be_written_is_named(place, tmp_path):
    (tmp_path / "downloads").write_text("no folder")
    with pytest.raises(DownloadError, match=r"downloads/files can't be written.*downloads.store"):
        get(place, "https://nowhere.example.org/rows.dat")
    assert not place.exists()
