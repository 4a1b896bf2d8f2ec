"""Pack a file as people do: the same bytes in every container."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pyarrow as pa


def zipped(*names: str) -> Callable[[bytes], bytes]:
    def pack(raw: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, b"" if name.endswith("/") else raw)
        return out.getvalue()

    return pack


def tarred(*names: str) -> Callable[[bytes], bytes]:
    def pack(raw: bytes) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = len(raw)
                archive.addfile(member, io.BytesIO(raw))
        return out.getvalue()

    return pack


def by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def pack(raw: bytes) -> bytes:
        out = pa.BufferOutputStream()
        with pa.CompressedOutputStream(out, codec) as stream:
            stream.write(raw)
        return out.getvalue().to_pybytes()

    return pack


def with_password(raw: bytes) -> bytes:
    """Return a ZIP archive that says that it is encrypted."""
    packed = bytearray(zipped("photo.csv")(raw))
    packed[6] |= 1
    packed[packed.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lambda raw: lzma.compress(raw, preset=0),
    "zst": by_arrow("zstd"),
    "lz4": by_arrow("lz4"),
    "zip": zipped("photo"),
    "zip of a folder, from a Mac": zipped("data/", "data/photo", "__MACOSX/data/._photo"),
    "tar": tarred("photo"),
    "tar.gz": lambda raw: gzip.compress(tarred("data/photo", "data/._photo")(raw)),
    "gz twice": lambda raw: gzip.compress(gzip.compress(raw)),
    "gz in pieces": lambda raw: gzip.compress(raw[:99]) + gzip.compress(raw[99:]),
    "zip in zip": lambda raw: zipped("inner.zip")(zipped("photo")(raw)),
    "zip in gz": lambda raw: gzip.compress(zipped("photo")(raw)),
}
