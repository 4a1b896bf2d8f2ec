"""What the tests of the documentation read from its Markdown."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Return the pages of the documentation and the README files beside it."""
    docs = (ROOT / "docs").rglob("*.md")
    written = [p for p in docs if not {"_build", "generated"} & set(p.relative_to(ROOT).parts)]
    readmes = [*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/README.md")]
    return sorted([*written, *readmes])


def name(path: Path) -> str:
    """Return a path as tests print it."""
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text and where it stands."""

    page: Path
    number: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Return page and number among its blocks."""
        return f"{name(self.page)}:{self.number}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the fenced blocks of a page in these languages ('' for none)."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [
        Block(page, number, language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
        for number, (indent, language, text) in enumerate(found, start=1)
        if language in languages
    ]


def prose(page: Path) -> str:
    """Return a page without its blocks of code, fenced or indented."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"^(?: {4}|\t)(?! *(?:[-*]|\d+\.) ).*$", "", text, flags=re.MULTILINE)


def links(page: Path) -> list[str]:
    """Return the targets of the links of a page."""
    return _LINK.findall(re.sub(r"`[^`\n]+`", "``", prose(page)))


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub and MyST name them."""
    text = page.read_text(encoding="utf-8")
    for included in re.findall(r"```\{include\} (\S+)", text):
        text += (page.parent / included).read_text(encoding="utf-8")
    found: Counter[str] = Counter()
    named = set()
    for heading in re.findall(r"^#{1,6} (.+)$", _FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        named.add(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return named


def commands(page: Path) -> list[str]:
    """Return the lines of indented and of nameless or shell blocks, and code within the prose."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page, "", "sh") for line in block.text.splitlines()]
    lines += re.findall(r"^ {4,}(\S.*)$", _FENCE.sub("", text), re.MULTILINE)
    lines += re.findall(r"`([^`\n]+)`", prose(page))
    return [re.sub(r"\s+#.*$", "", line).strip() for line in lines]
