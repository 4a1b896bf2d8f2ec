"""Servers that drip, flood, lead astray or lie about what they send."""

import gzip
import itertools
import subprocess
import time
import tracemalloc
import zlib

import pytest
import requests

from sdssflow.acquire.download import transport
from sdssflow.acquire.download.client_skyserver import SkyServer
from sdssflow.acquire.download.client_tap import TapServer
from sdssflow.acquire.download.errors import (
    DownloadError,
    SilenceError,
    TooMuchError,
    TransientError,
)
from sdssflow.configuration.downloads import Downloads
from tests.acquire.download.raw_server import serving
from tests.skyserver.clocks import OWN, OwnClock

NETWORK = Downloads(timeout_s=60.0, deadline_s=600.0)
GOOD = b"#Table1\nn\n3\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n"


def client(kind, url):
    return TapServer(f"{url}/tap", 10, NETWORK, OWN) if kind == "tap" else skyserver(url)


def skyserver(url):
    return SkyServer(url, 17, NETWORK, OWN)


def ask(pieces, kind="skyserver"):
    """Ask a server that sends these pieces, whatever it is asked."""
    answer = pieces if callable(pieces) else lambda head: pieces
    with serving(answer) as url:
        return client(kind, url).ask("SELECT 1")


def whole(body, *headers):
    lines = [b"Content-Length: %d" % len(body), *headers]
    return [HEAD + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body]


def dripping(*pieces, every=1.0):
    """Send byte by byte, each after a while by the tests' clock."""
    for byte in b"".join(pieces):
        OWN.sleep(every)
        yield bytes([byte])


def endless(first, again):
    return itertools.chain([first], itertools.repeat(again * 1000))


def test_a_good_answer():
    assert ask(whole(GOOD)) == GOOD
    assert ask(dripping(*whole(GOOD))) == GOOD


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"HTTP/1.1",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
        HEAD + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
    ],
)
@pytest.mark.parametrize("kind", ["skyserver", "tap"])
def test_a_drip_anywhere_ends_at_the_deadline(before, kind):
    drops = b"1" * 700 if before else b"HTTP/1.1 200 " + b"O" * 700
    with pytest.raises(TransientError, match="sent no complete answer within 600 s"):
        ask(itertools.chain([before], dripping(drops)), kind)


def held(clock):
    """Send nothing while the client is there: an hour at most."""
    for _ in range(36_000):
        time.sleep(0.1)
        clock.sleep(61.0)
        yield b""


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 2", HEAD, HEAD + b"\r\n#Table1"])
def test_silence_anywhere_ends_after_its_time(before):
    network = Downloads(timeout_s=60.0, deadline_s=1e9)
    with (
        serving(lambda head: itertools.chain([before], held(OWN))) as url,
        pytest.raises(SilenceError, match="was silent for 60 s"),
    ):
        SkyServer(url, 17, network, OWN).ask("SELECT 1")


def test_real_time_is_the_clock_unless_a_test_says_otherwise():
    started = time.monotonic()
    with (
        serving(lambda head: held(OwnClock())) as url,
        pytest.raises(SilenceError, match="for 0.3 s"),
    ):
        SkyServer(url, 17, Downloads(timeout_s=0.3)).ask("SELECT 1")
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "more than 1 MiB of headers"),
        (endless(b"", b"HTTP/1.1 100 C\r\nA: b\r\n\r\n"), "more than 1 MiB of headers"),
        (endless(HEAD, b"X-A: b\r\n"), "got more than 100 headers"),
        (endless(HEAD + b"X: ", b"a"), "got more than 65536 bytes|line"),
        (endless(b"HTTP/1.1 200 ", b"a"), "got more than 65536 bytes|line"),
        ([b"HTTP/1.1 103 Early Hints\r\n\r\n", *whole(GOOD)], "HTTP 103"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n"], "SSH-2.0"),
        ([b"HTTP/1.1 99999 No\r\n\r\n"], "99999"),
        ([b""], "closed connection without response|Remote end closed"),
        ([HEAD + b"Content-Length: 99\r\n\r\n" + GOOD], "IncompleteRead|more expected"),
        ([HEAD + b"Content-Length: 12, 13\r\n\r\n" + GOOD], "multiple unmatching values"),
        ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"], "IncompleteRead|InvalidChunk"),
        ([HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc"], "broken|chunk|Incomplete"),
        ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabc"], "broken|chunk|Incomplete"),
        (whole(GOOD, b"Content-Encoding: br"), "encoding 'br', which was not requested"),
        (whole(GOOD, b"Content-Encoding: gzip, gzip, gzip"), "was not requested"),
        (whole(GOOD, b"Content-Encoding: gzip"), "failed to decode"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(pieces, message):
    with pytest.raises(TransientError, match=message) as error:
        ask(pieces)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 700


def bomb(kind):
    """Return 64 MiB of zeros, packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if kind == "gzip" else 15)
    block = bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(64)), packer.flush()])


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
def test_a_bomb_is_refused_in_bounded_memory(kind, monkeypatch):
    monkeypatch.setattr(transport, "MOST_BYTES", 8 << 20)
    answer = whole(bomb(kind), b"Content-Encoding: " + kind.encode())
    tracemalloc.start()
    with pytest.raises(TooMuchError, match="an answer of more than 8 MiB"):
        ask(answer)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


def test_a_body_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(transport, "MOST_BYTES", 1 << 20)
    for head in (HEAD + b"\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"):
        with pytest.raises(TooMuchError, match="an answer of more than 1 MiB"):
            ask(endless(head, b"1,2,3\n"))


def test_bytes_of_a_gzip_answer():
    assert ask(whole(gzip.compress(GOOD), b"Content-Encoding: gzip")) == GOOD
    assert ask(whole(b"", b"Content-Encoding: gzip")) == b""


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example.org/x?a=b",
        "//evil.example.org/x",
        "http://127.0.0.1.example.org/x",
        "http://localhost/x",
        "http://127.0.0.1:1/x",
        "http://127.0.0.1@evil.example.org/x",
        "http://user:secret@evil.example.org/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "javascript:alert(1)",
        "http://[::1/x",
        "http://127.0.0.1:99999/x",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("kind", "key"), [("skyserver", "source.server"), ("tap", "source.url")])
def test_a_redirect_elsewhere_is_refused_with_both_addresses(target, status, kind, key):
    there = f"HTTP/1.1 {status} Moved\r\nLocation: {target}\r\nConnection: close\r\n\r\n"
    asked = []
    with (
        serving(lambda head: asked.append(head) or [there.encode()]) as url,
        pytest.raises(DownloadError) as error,
    ):
        client(kind, url).ask("SELECT 1")
    told = str(error.value)
    assert not isinstance(error.value, TransientError)
    shown = target.split("?")[0].replace("user:secret@", "").replace("127.0.0.1@", "")
    assert f"{url}/" in told
    assert f"redirects to {shown}" in told or shown.startswith("//")
    assert f"set {key} to its address" in told
    assert "secret" not in told
    assert len(asked) == 1


@pytest.mark.parametrize("target", ["/other", "other?x=1", "{url}/other", "//{place}/other"])
def test_a_redirect_on_the_same_host_is_followed(target):
    def pieces(head):
        if b"other" in head.split(b"\r\n")[0]:
            return whole(GOOD)
        there = target.format(url=url, place=url.removeprefix("http://"))
        return [f"HTTP/1.1 302 Found\r\nLocation: {there}\r\nConnection: close\r\n\r\n".encode()]

    with serving(pieces) as url:
        assert skyserver(url).ask("SELECT 1") == GOOD


def test_redirects_in_a_circle_end():
    answer = [b"HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\n\r\n"]
    with pytest.raises(DownloadError, match="redirects more than 5 times. Correct source.server"):
        ask(answer)


@pytest.mark.parametrize(
    ("old", "new", "body", "refused"),
    [
        ("http://a.org/x", "https://a.org/x", None, False),
        ("http://a.org/x", "https://A.ORG:443/y", None, False),
        ("http://a.org:80/x", "http://a.org/y", None, False),
        ("https://a.org/x", "http://a.org/x", None, True),
        ("https://a.org/x", "http://a.org:443/x", None, True),
        ("https://a.org/x", "https://www.a.org/x", None, True),
        ("http://a.org/x", "https://a.org/x", "QUERY=SELECT", True),
    ],
)
def test_where_a_redirect_may_lead(old, new, body, refused):
    adapter = transport.Punctual(old, "source.server", NETWORK, OWN)
    request = requests.Request("POST" if body else "GET", old, data=body).prepare()
    answer = requests.Response()
    answer.headers["Location"] = new
    if refused:
        with pytest.raises(DownloadError, match="is not followed"):
            adapter.check_redirect(request, answer)
    else:
        adapter.check_redirect(request, answer)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        *[("7", 7.0), (" 7 ", 7.0), ("1.5", 1.5), ("5, 10", 10.0), ("0", 0.0), ("9" * 400, 1e100)],
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        *(
            (word, None)
            for word in [
                *("-5", "\u00b2", "\u0663", "nan", "inf", "1e5", "0x10", "", "soon", "5, soon"),
                "," * 1000,
                "Wed, 21 Oct 2015 07:28:00 -0000",
                "Wed, 99 Oct 2015 07:28:00 GMT",
                "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
            ]
        ),
    ],
)
def test_retry_after_of_any_shape(asked, seconds):
    assert after({"Retry-After": asked}) == (seconds and pytest.approx(seconds))


def test_a_date_in_retry_after_is_compared_with_the_clock_of_the_server():
    asked = {"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}
    assert after({**asked, "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}) == 30
    assert after({**asked, "Date": "garbage"}) is None
    assert after({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}) > 1e9
    assert after({}) is None


def after(headers):
    answer = requests.Response()
    answer.headers.update(headers)
    return transport.retry_after(answer)


def test_a_server_that_can_not_prove_who_it_is_is_asked_nothing(tmp_path, as_if_far):
    pem = tmp_path / "own.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=127.0.0.1 "
        "-addext subjectAltName=IP:127.0.0.1 -keyout own.pem -out certificate.pem"
    )
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "certificate.pem").read_text())
    asked = []
    with serving(lambda head: asked.append(head) or whole(GOOD), pem) as url:
        message = r"has no valid certificate \(self-signed certificate\).*REQUESTS_CA_BUNDLE"
        with pytest.raises(DownloadError, match=message) as error:
            skyserver(url).ask("SELECT 1")
        assert not isinstance(error.value, TransientError)
        assert asked == []
        # what the message says to do works
        as_if_far.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
        assert skyserver(url).ask("SELECT 1") == GOOD


@pytest.fixture
def as_if_far(monkeypatch):
    """Let our own machine be one to which the user's environment applies."""
    monkeypatch.setattr(transport, "LOCAL", ())
    monkeypatch.setenv("no_proxy", "*")
    return monkeypatch


@pytest.mark.parametrize("kind", ["skyserver", "tap"])
def test_name_and_password_come_from_netrc(kind, tmp_path, as_if_far):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    as_if_far.setenv("NETRC", str(netrc))
    heads = []
    ask(lambda head: heads.append(head) or whole(GOOD), kind)
    assert b"Authorization: Basic bWU6c2VjcmV0" in heads[-1]


def test_a_password_of_a_proxy_is_not_told(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(DownloadError, match="[Pp]roxy") as error:
        skyserver("http://skyserver.example.org").ask("SELECT 1")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_proxy_that_drips_ends_at_the_deadline(before, monkeypatch):
    drops = b"1" * 700 if before else b"HTTP/1.1 200 " + b"O" * 700
    with serving(lambda head: itertools.chain([before], dripping(drops))) as url:
        monkeypatch.setenv("https_proxy", url)
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(TransientError, match="sent no complete answer within 600 s"):
            skyserver("https://skyserver.example.org").ask("SELECT 1")
