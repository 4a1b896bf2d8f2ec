"""The checksums of a FITS extension, summed while it streams by.

DATASUM is the sum of the data as unsigned 32-bit words, big-endian, with the carry added at the low
end; header and data with CHECKSUM give all ones (FITS standard 4.0, appendix J).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

ONES = 0xFFFFFFFF
REPAIR = (
    "Fetch the file again. If you edited it yourself, delete the keywords DATASUM and CHECKSUM of "
    "the extension: astropy's fits.delval."
)


class WordSum:
    """Sum of 32-bit words in ones' complement, of bytes that come in parts of any length.

    Examples
    --------
    >>> total = WordSum()
    >>> total.update(bytes([0, 0, 0, 1, 0xFF])), total.update(bytes([0xFF, 0xFF, 0xFF, 9]))
    (None, None)
    >>> total.value
    150994945
    """

    def __init__(self) -> None:
        self.value = 0
        self._bytes = 0

    def update(self, part: bytes | bytearray | memoryview) -> None:
        """Add the bytes that follow those added before; the last word is filled with zeros."""
        lead = self._bytes % 4
        self._bytes += len(part)
        head = min((4 - lead) % 4, len(part))
        whole = len(part) - head - (len(part) - head) % 4
        words = np.frombuffer(part, ">u4", count=whole // 4, offset=head)
        total = self.value + int(words.sum(dtype=np.uint64))
        total += int.from_bytes(bytes(lead) + bytes(part[:head]) + bytes(4 - lead - head), "big")
        total += int.from_bytes(bytes(part[head + whole :]).ljust(4, b"\0"), "big")
        while total > ONES:
            total = (total & ONES) + (total >> 32)
        self.value = total


def wrong_sum(header: Mapping[str, Any], head: WordSum, data: WordSum) -> str | None:
    """Return which of the header's checksums does not hold, or None.

    Parameters
    ----------
    header : mapping
        Of the extension.
    head, data : WordSum
        Sums of its header and of its data, with their padding.
    """
    if "DATASUM" in header and str(header["DATASUM"]).strip() != str(data.value):
        return "DATASUM"
    if "CHECKSUM" in header:
        both = head.value + data.value
        both = (both & ONES) + (both >> 32)
        # a header that says 0 states that no sum was made
        if str(header["CHECKSUM"]).strip("0 ") and both not in (ONES, 0):
            return "CHECKSUM"
    return None
