"""Ways to spoil an answer: other content, other lines, cut short."""

from __future__ import annotations

from collections.abc import Callable

from skyserver_standin.loopback import Answer, Application, Request
from tests.skyserver import broken_answers as wire
from tests.skyserver.broken_answers import WireAnswer

Spoil = Callable[[Request, Application], Answer]
ERROR_PAGE = "<html><head><title>SkyServer Error</title></head>\n<body>An error, sorry,\n</body>\n"
UNAVAILABLE_PAGE = "<html><body><h1>503 Service Unavailable</h1>\nPlease wait.\n</body></html>\n"


def instead(answer: Callable[[], Answer]) -> Spoil:
    """Answer with something else."""
    return lambda request, application: answer()


def sent(send: wire.Send, part: float = 1.0) -> Spoil:
    """Send the first `part` of the right answer in a wrong way."""

    def spoil(request: Request, application: Application) -> Answer:
        body = application(request).content()
        # not at the end of a line: that would be another fault
        length = len(body) if part == 1 else _inside_line(body, int(part * len(body)))
        return WireAnswer(body[:length], send)

    return spoil


def _inside_line(body: bytes, at: int) -> int:
    return at - 1 if body[at - 1 : at] == b"\n" else at


def edited(edit: Callable[[list[str], list[str]], list[str]]) -> Spoil:
    """Change the lines; `edit` gets the two lines before the rows and the rows."""

    def spoil(request: Request, application: Application) -> Answer:
        answer = application(request)
        lines = answer.content().decode().splitlines()
        # an error, or no rows to spoil: leave it alone
        if answer.status == 200 and len(lines) > 2:
            lines = edit(lines[:2], lines[2:])
        text = "".join(line + "\n" for line in lines)
        return WireAnswer(text.encode(), wire.chunked, answer.status, answer.content_type)

    return spoil


def inserted(line: str) -> Spoil:
    """Put a line in the middle of the rows."""
    return edited(lambda head, rows: [*head, *rows[: _middle(rows)], line, *rows[_middle(rows) :]])


def _middle(rows: list[str]) -> int:
    return len(rows) // 2


def replaced(word: str, column: int = 3) -> Spoil:
    """Put a word in the place of one value in the middle (the last, if there are fewer)."""

    def edit(head: list[str], rows: list[str]) -> list[str]:
        values = rows[_middle(rows)].split(",")
        values[min(column, len(values) - 1)] = word
        rows[_middle(rows)] = ",".join(values)
        return [*head, *rows]

    return edited(edit)


def extra_field(head: list[str], rows: list[str]) -> list[str]:
    """Give the row in the middle one value more."""
    rows[_middle(rows)] += ",1"
    return [*head, *rows]


def other_digit(head: list[str], rows: list[str]) -> list[str]:
    """Change the last digit of the first value of the row in the middle."""
    row = rows[_middle(rows)]
    comma = row.index(",")
    digit = "1" if row[comma - 1] != "1" else "2"
    rows[_middle(rows)] = row[: comma - 1] + digit + row[comma:]
    return [*head, *rows]


def one_more(head: list[str], rows: list[str]) -> list[str]:
    """Make a count one too high."""
    count, comma, rest = rows[0].partition(",")
    return [*head, f"{int(count) + 1}{comma}{rest}"]


def truncate_at(position: int) -> Spoil:
    """Close after `position` bytes of the body; counted from the end if negative."""

    def spoil(request: Request, application: Application) -> Answer:
        return WireAnswer(application(request).content()[:position], wire.close_delimited)

    return spoil


def last_field(request: Request, application: Application) -> Answer:
    """Send all but the last character of the last value and the line end."""
    body = application(request).content().rstrip(b"\n")
    return WireAnswer(body[: max(body.rindex(b","), len(body) - 1)], wire.chunked)


def page(text: str, content_type: str, status: int = 200, **headers: str) -> Spoil:
    """Answer with a fixed text."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return instead(lambda: Answer(status, content_type, text.encode(), names))
