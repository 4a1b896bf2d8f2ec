"""The pages are built without a warning, and nothing of the rules or the library is left out."""

import ast
import html
import json
import re

from tests.docs.markdown import ROOT

RULES = {
    name: body
    for path in sorted((ROOT / "rules").glob("*.smk"))
    for name, body in re.findall(
        r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.MULTILINE | re.DOTALL
    )
}
MODULES = {
    ".".join(path.relative_to(ROOT / "scripts").with_suffix("").parts): path
    for path in sorted((ROOT / "scripts").glob("*/**/*.py"))
    if path.name not in {"__init__.py", "__main__.py"}
}


def words(page):
    """Return the text of a page, each gap one blank."""
    text = re.sub(r"<(script|style).*?</\1>", "", page.read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())


def test_each_rule_has_a_page_with_its_docstring_and_its_outputs(site):
    for rule, body in RULES.items():
        text = words(site / f"generated/rules/{rule}.html")
        docstring = ast.get_docstring(ast.parse((ROOT / f"scripts/{rule}.py").read_text()))
        first = " ".join(docstring.split("\n\n")[0].replace("`", "").split())
        assert first in text, rule
        assert first in words(site / "generated/rules/index.html"), rule
        for path in re.findall(r'"(results/[^"]*)"', body):
            assert path in text, f"{rule}: {path}"
        for name in re.findall(r"^        (\w+)=", body, re.MULTILINE):
            assert f"{name}=" in text, f"{rule}: {name}"


def test_what_a_script_says_of_its_inputs_is_a_list(site):
    page = (site / "generated/rules/train_network.html").read_text()
    named = re.findall(r'<dt><code class="[^"]*"><span class="pre">(\w+)</span>', page)
    assert named == ["development", "chosen", "settings", "model", "seed", "checkpoints", "code",
                     "folder"]  # fmt: skip


def test_each_public_function_and_class_of_the_library_is_on_the_page_of_its_package(site):
    for module, path in MODULES.items():
        package = module.rpartition(".")[0]
        page = "beside" if package == "sdssflow" else package
        text = (site / f"generated/library/{page}.html").read_text()
        for node in ast.parse(path.read_text()).body:
            documented = isinstance(node, ast.FunctionDef | ast.ClassDef) and (
                not node.name.startswith("_") and ast.get_docstring(node)
            )
            if documented:
                assert f'id="{module}.{node.name}"' in text, f"{module}.{node.name}"


def test_the_pages_need_no_network(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*src="([^"]+)"', page.read_text())
        loaded += re.findall(r'<link[^>]*rel="(?:stylesheet|icon)"[^>]*href="([^"]+)"',
                             page.read_text())  # fmt: skip
        assert not [url for url in loaded if "://" in url or url.startswith("//")], page.name


def test_a_link_to_a_readme_leads_to_the_page_that_includes_it(site):
    assert 'href="profiles.html"' in (site / "cluster.html").read_text()
    assert not list(site.rglob("README*"))


def clicks(site, page):
    """Return the pages that the text of a page leads to; its side bar, which has all, left out."""
    article = re.search(r"<article.*?</article>", page.read_text(), re.DOTALL)
    targets = re.findall(r'href="([^"#:]+\.html)', article[0] if article else "")
    return {(page.parent / target).resolve().relative_to(site) for target in targets}


def test_each_page_is_two_clicks_from_the_first(site):
    made_by_sphinx = {"genindex", "py-modindex", "search"}
    pages = {p.relative_to(site) for p in site.rglob("*.html") if p.stem not in made_by_sphinx}
    near = clicks(site, site / "index.html")
    reached = near.union(*(clicks(site, site / page) for page in near))
    assert len(pages) > 80
    assert not sorted(map(str, pages - reached - {(site / "index.html").relative_to(site)}))


def test_the_search_finds_words_without_a_server(site):
    page = (site / "search.html").read_text()
    assert re.search(r'<script src="searchindex\.js[^"]*"', page)  # not asked for by fetch()
    index = (site / "searchindex.js").read_text()
    content = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    for word, name in [("conform", "photometric_redshifts"), ("topcat", "coming_from")]:
        places = set()
        for terms in (content["terms"], content["titleterms"]):
            found = terms.get(word, [])
            places |= {found} if isinstance(found, int) else set(found)
        assert name in {content["docnames"][place] for place in places}, word
