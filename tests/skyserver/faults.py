"""The fault switchboard: a middleware that spoils chosen answers of the stand-in SkyServer.

board = Switchboard()
with SkyServer(sky, middleware=board) as server:
    board.order("half_rows", match=PHASES["data"])        # the next data query
    board.order("http_503", "reset", match=PHASES["plan"])   # the next two plan queries
    board.order("truncate_at:1000", times=None)           # everything from then on
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass

from skyserver_standin.database import TIMEOUT_MESSAGE
from skyserver_standin.loopback import (
    CSV,
    HTML,
    JSON,
    Answer,
    Application,
    Request,
    error_csv,
    error_json,
)
from tests.skyserver import broken_answers as wire
from tests.skyserver.clocks import OwnClock, RealClock
from tests.skyserver.spoilers import (
    ERROR_PAGE,
    UNAVAILABLE_PAGE,
    Spoil,
    edited,
    extra_field,
    inserted,
    instead,
    last_field,
    one_more,
    other_digit,
    page,
    replaced,
    sent,
    truncate_at,
)

PHASES = {
    "plan": r"GROUP BY",
    "count": r"^\s*SELECT COUNT_BIG\(\*\)",
    "data": r"^\s*SELECT TOP \d+ (?!.*GROUP BY)",
}
ALL = tuple(PHASES)
ROWS = ("plan", "data")


@dataclass(frozen=True)
class Fault:
    """One way for an answer to go wrong, and the requests for which it makes sense.

    What arrives of a `valid` one is right: a client must take it (and count, or be patient).
    """

    name: str
    description: str
    phases: tuple[str, ...]
    spoil: Spoil
    valid: bool = False


_ERROR_JSON = json.dumps({"ErrorCode": 500, "ErrorMessage": "Invalid object name 'x'."})
_LIMIT = "error: limit is  top 500000 select top 600000 s.plate, s.z from SpecObj s"
_THROTTLE = "ERROR: Maximum 60 queries allowed per minute. Rejected query: select top 1"
_ALL_FAULTS = [
    Fault("http_503", "status 503 with an HTML page", ALL, page(UNAVAILABLE_PAGE, HTML, 503)),
    Fault("http_429", "status 429 with Retry-After", ALL, page("", HTML, 429, Retry_After="1")),
    Fault("http_500_json", "status 500, JSON", ALL, instead(lambda: error_json("Broken."))),
    Fault(
        "http_500_timeout",
        "status 500, JSON: the SQL time-out",
        ALL,
        instead(lambda: error_json(TIMEOUT_MESSAGE)),
    ),
    Fault("html_200_error", "an HTML error page with status 200", ALL, page(ERROR_PAGE, HTML)),
    Fault("html_200_error_as_csv", "the same, called text/csv", ALL, page(ERROR_PAGE, CSV)),
    Fault("html_200_503", "an HTML 503 page with status 200", ALL, page(UNAVAILABLE_PAGE, HTML)),
    Fault("html_200_503_as_csv", "the same, called text/csv", ALL, page(UNAVAILABLE_PAGE, CSV)),
    Fault("json_200", "a JSON error with status 200", ALL, page(_ERROR_JSON, JSON)),
    Fault("json_200_as_csv", "the same, called text/csv", ALL, page(_ERROR_JSON, CSV)),
    Fault("empty_body", "no bytes, status 200", ALL, page("", CSV)),
    Fault("no_objects_text", "a sentence in place of a table", ALL, page("No objects\n", CSV)),
    Fault("header_only", "the header without #Table1", ALL, edited(lambda head, rows: head[1:])),
    Fault("no_rows", "a well-formed table of no rows", ROWS, edited(lambda head, rows: head)),
    Fault("count_empty", "a count without a row", ("count",), edited(lambda head, rows: head)),
    Fault("count_wrong", "a count that is one too high", ("count",), edited(one_more)),
    Fault("throttle", "too many queries: a CSV error", ALL, instead(lambda: error_csv(_THROTTLE))),
    Fault("bad_top", "TOP refused: a CSV error", ALL, instead(lambda: error_csv(_LIMIT))),
    Fault("hang", "no answer for 100 s", ALL, sent(wire.silent(100))),
    Fault("slow_drip", "the right answer within 5 s", ALL, sent(wire.dripping(5)), valid=True),
    Fault("reset", "connection reset, no answer", ALL, sent(wire.reset)),
    Fault("reset_mid_body", "connection reset half-way", ALL, sent(wire.reset_after_body, 0.5)),
    Fault("half_rows", "every second row only", ROWS, edited(lambda h, r: [*h, *r[::2]])),
    Fault(
        "row_limit_cut",
        "the first 2/3 of the rows only",
        ROWS,
        edited(lambda h, r: [*h, *r[: 2 * len(r) // 3]]),
    ),
    Fault("duplicate_rows", "the last rows twice", ROWS, edited(lambda h, r: [*h, *r, *r[-3:]])),
    Fault("shuffled_rows", "rows in wrong order", ROWS, edited(lambda h, r: [*h, *r[::-1]])),
    Fault("truncated_close", "cut at 60 %, closed", ALL, sent(wire.close_delimited, 0.6)),
    Fault("truncated_chunked_ok", "cut at 60 %, chunks end well", ALL, sent(wire.chunked, 0.6)),
    Fault("bad_chunked_end", "cut inside a chunk", ALL, sent(wire.chunked_without_end, 0.6)),
    Fault(
        "short_content_length",
        "cut at 60 %, fewer bytes than declared",
        ALL,
        sent(wire.declaring(2.0), 0.6),
    ),
    Fault("low_content_length", "whole, but 60 % of it declared", ALL, sent(wire.declaring(0.6))),
    Fault("truncated_last_field", "the last value lacks its end", ALL, last_field),
    Fault("truncated_newline", "the last line end is missing", ALL, truncate_at(-1)),
    Fault("extra_field", "one row with a value more", ALL, edited(extra_field)),
    Fault("html_mid_body", "HTML between the rows", ALL, inserted("<b>error, sorry</b>")),
    Fault("hash_line_mid_body", "a # line between the rows", ALL, inserted("# error")),
    Fault("blank_line_mid_body", "an empty line between the rows", ALL, inserted("")),
    Fault(
        "wrong_header",
        "the columns' names in capitals",
        ALL,
        edited(lambda h, r: [h[0], h[1].swapcase(), *r]),
    ),
    Fault("wrong_id", "another digit in one id", ROWS, edited(other_digit)),
    Fault("nan_word", "NaN in place of a number", ALL, replaced("NaN")),
    Fault("null_word", "null in place of a number", ALL, replaced("null")),
    Fault("sentinel_9999", "-9999 as a magnitude", ("data",), replaced("-9999"), valid=True),
]
FAULTS = {fault.name: fault for fault in _ALL_FAULTS}


def find_fault(name: str) -> Fault:
    """Return a fault by name; `truncate_at:K`, `hang:SECONDS` and `slow_drip:SECONDS` are made."""
    stem, _, number = name.partition(":")
    if stem == "truncate_at":
        return Fault(name, f"closed after {number} bytes", ALL, truncate_at(int(number)))
    if stem == "hang" and number:
        return Fault(name, f"no answer for {number} s", ALL, sent(wire.silent(float(number))))
    if stem == "slow_drip" and number:
        spoil = sent(wire.dripping(float(number)))
        return Fault(name, f"the right answer within {number} s", ALL, spoil, valid=True)
    return FAULTS[name]


@dataclass
class Order:
    """A fault for the next `times` requests whose SQL matches; for all if `times` is None."""

    fault: Fault
    match: str
    times: int | None


class Switchboard:
    """Middleware that spoils the answers it was ordered to, the oldest order first."""

    def __init__(self, clock: RealClock | OwnClock | None = None) -> None:
        self.clock = clock or RealClock()
        self.log: list[tuple[str, str]] = []
        self._orders: list[Order] = []
        self._lock = threading.Lock()

    def order(self, *names: str, match: str = "", times: int | None = 1) -> None:
        """Order faults, one after the other, each for `times` requests that match."""
        with self._lock:
            self._orders += [Order(find_fault(name), match, times) for name in names]

    def clear(self) -> None:
        """Forget what is still ordered."""
        with self._lock:
            self._orders.clear()

    def __call__(self, request: Request, application: Application) -> Answer:
        fault = self._take(request.sql)
        if fault is None:
            return application(request)
        answer = fault.spoil(request, application)
        answer.clock = self.clock
        return answer

    def _take(self, sql: str) -> Fault | None:
        with self._lock:
            for order in self._orders:
                if re.search(order.match, sql, re.IGNORECASE | re.DOTALL):
                    break
            else:
                return None
            if order.times is not None:
                order.times -= 1
                if order.times <= 0:
                    self._orders.remove(order)
            self.log.append((order.fault.name, sql))
            return order.fault
