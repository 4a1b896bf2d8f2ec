"""Every link within the project leads somewhere; those that leave it are only listed."""

import re

import pytest

from tests.docs.markdown import ROOT, anchors, links, name, pages

PAGES = pages()


def generated(target):
    """Return the source of a page that is made with each build."""
    kind, _, stem = target.removesuffix(".rst").partition("/")
    if stem == "index":
        return ROOT / "docs/conf.py"
    if kind == "rules":
        return ROOT / f"scripts/{stem}.py"
    return ROOT / "scripts" / stem.replace(".", "/") / "__init__.py"


def missing(page, target):
    """Say what a link lacks; '' if it leads somewhere."""
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    folder = ROOT / "docs/generated"
    if found.is_relative_to(folder):
        source = generated(found.relative_to(folder).as_posix())
        return "" if source.is_file() else f"{target}: there is no {name(source)}"
    if not found.exists():
        return f"{target}: there is no such file"
    if anchor and anchor not in anchors(found):
        return f"{target}: no such heading; there are {', '.join(sorted(anchors(found)))}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_within_the_project_lead_somewhere(page):
    inner = [target for target in links(page) if "://" not in target]
    assert not [problem for target in inner if (problem := missing(page, target))]


def test_a_broken_link_is_found():
    page = ROOT / "docs/student.md"
    assert "no such file" in missing(page, "nowhere.md")
    assert "no such heading" in missing(page, "reruns.md#nowhere")
    assert "there is no scripts/nothing.py" in missing(page, "generated/rules/nothing.rst")
    assert "there is no scripts/sdssflow/none/__init__.py" in missing(
        page, "generated/library/sdssflow.none.rst"
    )


@pytest.mark.parametrize("folder", ["scripts", "rules", "config", "profiles", "report"])
def test_pages_that_messages_and_comments_name_exist(folder):
    for path in (ROOT / folder).rglob("*"):
        if path.suffix in {".py", ".smk", ".yaml", ".rst", ".md", ".j2"}:
            for page in re.findall(r"\bdocs/[\w/]+\.md\b", path.read_text(encoding="utf-8")):
                assert (ROOT / page).is_file(), f"{name(path)} names {page}"


def test_links_that_leave_the_project_are_encrypted(capsys):
    outer = {target: name(page) for page in PAGES for target in links(page) if "://" in target}
    print("\n".join(f"{target}  ({page})" for target, page in sorted(outer.items())))
    assert [target for target in outer if not target.startswith("https://")] == []
