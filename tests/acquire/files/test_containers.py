"""What is packed is read as if it were not; bombs meet a limit; damage is told."""

import gzip
import tracemalloc

import numpy as np
import pytest

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files import containers
from sdssflow.acquire.files.containers import signature
from sdssflow.tables import content_digest
from tests.acquire.files.good_table import catalogue, good_frame, write
from tests.acquire.files.packing import PACKINGS

FORMATS = ("csv", "fits", "vot", "parquet", "h5")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return the bytes of the good table in each format, and the digest of its catalogue."""
    folder = tmp_path_factory.mktemp("plain")
    paths = {kind: write(good_frame(), folder / f"a.{kind}") for kind in FORMATS}
    expected = content_digest(catalogue(paths["csv"]))
    return {kind: path.read_bytes() for kind, path in paths.items()}, expected


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_packed_files_are_read(packing, kind, plain, tmp_path):
    raw, expected = plain
    path = tmp_path / "photo.csv"  # whatever it is called
    path.write_bytes(PACKINGS[packing](raw[kind]))
    assert content_digest(catalogue(path)) == expected


@pytest.mark.parametrize("packing", PACKINGS)
def test_lines_and_names_in_errors_are_those_of_the_users_file(packing, plain, tmp_path):
    for kind, place in (("csv", "row 3 (line 5)"), ("parquet", "row 3")):
        frame = good_frame().astype({"u": str})
        frame.loc[3, "u"] = "faint"
        path = tmp_path / f"photo.{kind}.x"
        raw = write(frame, tmp_path / f"plain.{kind}").read_bytes()
        path.write_bytes(PACKINGS[packing](raw))
        with pytest.raises(CatalogueError) as caught:
            catalogue(path)
        assert str(caught.value).startswith(f"{path}: column 'u -> model_mag_u', {place}")
        assert "/tmp" not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst", "lz4", "zip", "tar.gz"])
@pytest.mark.parametrize("kind", ["csv", "fits"])
def test_cut_and_changed_ones_are_refused(packing, kind, plain, tmp_path):
    packed = PACKINGS[packing](plain[0][kind])
    path = tmp_path / f"photo.{kind}"
    for size in (len(packed) // 2, len(packed) - 5):
        path.write_bytes(packed[:size])
        with pytest.raises(CatalogueError, match="damaged|truncated|no catalogue"):
            catalogue(path)


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst", "lz4"])
def test_all_of_several_packed_streams_is_read_and_none_is_passed_over(packing, plain, tmp_path):
    raw, expected = plain
    half = raw["csv"].index(b"\n", len(raw["csv"]) // 2) + 1
    first, second = (PACKINGS[packing](part) for part in (raw["csv"][:half], raw["csv"][half:]))
    path = tmp_path / "a.csv"
    path.write_bytes(first + second)
    assert content_digest(catalogue(path)) == expected
    if packing in ("gz", "bz2", "xz"):
        path.write_bytes(first + bytes(8) + second + bytes(100_000))
        assert content_digest(catalogue(path)) == expected
    for rest in (second[:1] + bytes([second[1] ^ 255]) + second[2:], b"no such stream"):
        path.write_bytes(first + rest)
        with pytest.raises(CatalogueError, match="can't be unpacked completely"):
            catalogue(path)


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst", "lz4", "zip", "tar.gz", "gz twice"])
@pytest.mark.parametrize("kind", ["csv", "fits"])
def test_bombs_meet_the_limit(packing, kind, plain, tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "ALWAYS_READ", 2**20)
    raw = plain[0][kind]
    lines = raw.splitlines(keepends=True)
    bomb = raw + (lines[1] * 15_000 if kind == "csv" else bytes(2**23))
    path = tmp_path / f"photo.{kind}"
    path.write_bytes(PACKINGS[packing](bomb))
    with pytest.raises(
        CatalogueError, match="unpacks to more than 100 times its size .over 1 MiB."
    ):
        catalogue(path)


@pytest.fixture(scope="module")
def shrinking():
    """Return 4 MiB of rows that shrink to about a tenth."""
    numbers = np.random.default_rng(1).integers(0, 10**6, 2**16)
    return "".join(f"12376459418{n:06},9223372036854775809,225.03436798,GALAXY\n" for n in numbers)


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_shrinks_well_is_no_bomb(packing, shrinking, tmp_path, monkeypatch):
    # gzip of Python 3.12 takes 128 KiB at once, which are 1.3 MiB of these rows
    monkeypatch.setattr(containers, "ALWAYS_READ", 3 * 2**20)
    path = tmp_path / "photo"
    path.write_bytes(PACKINGS[packing](shrinking.encode()))
    with containers.open_content(str(path)) as stream:
        assert stream.read().decode() == shrinking


@pytest.mark.parametrize("head", [b"SIMPLE  =", b"objID,u\n", b"<VOTABLE>"])
def test_memory_does_not_grow_with_a_bomb(head, tmp_path):
    path = tmp_path / "photo.gz"
    path.write_bytes(gzip.compress(head) + gzip.compress(bytes(2**24)) * 64)  # a GiB
    tracemalloc.start()
    with pytest.raises(CatalogueError):
        catalogue(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 2**20


def test_temporary_copies_are_removed(plain, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = tmp_path / "photo.fits.gz"
    path.write_bytes(gzip.compress(plain[0]["fits"]))
    catalogue(path)
    path.write_bytes(gzip.compress(plain[0]["fits"][:5000]))
    with pytest.raises(CatalogueError):
        catalogue(path)
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"PAR1,PAR2\n", "csv"),
        (b"PARENT_ID,ra\n", "csv"),
        (b"ORCID,ra\n", "csv"),
        (b"[Fe/H],ra\n", "csv"),
        (b'\xef\xbb\xbf"objID",ra\n', "csv"),
        ("objID,ra\n".encode("utf-16"), "csv"),
        (b"", "csv"),
        (b"a" * 257 + b"ustar, b\n", "csv"),
        (b'[{"ra": 1}]', "json"),
        (b'{"ra": [1]}', "json"),
        (b"[1, 2]", "json"),
        (b"\n <?xml version='1.0'?><v:VOTABLE/>", "votable"),
        (b"<svg/>", "xml"),
        (b"  <HTML>", "html"),
    ],
)
def test_text_is_told_apart(text, kind):
    assert signature(text).kind == kind
