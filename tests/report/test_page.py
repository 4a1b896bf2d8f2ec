import itertools
import re
from pathlib import Path

import html5lib

from sdssflow.report.glossary import METRICS

NAMESPACE = "{http://www.w3.org/1999/xhtml}"


def parse(page):
    parser = html5lib.HTMLParser(strict=False)
    document = parser.parse(page)
    return document, [error for _, error, _ in parser.errors]


def elements(document, name):
    return list(document.iter(f"{NAMESPACE}{name}"))


def text_of(page):
    document, _ = parse(page)
    for name in ("script", "style"):
        for element in elements(document, name):
            element.clear()
    return " ".join("".join(document.itertext()).split())


def test_page_is_valid_html_without_duplicate_ids_or_dead_anchors(page):
    document, errors = parse(page)
    assert errors == []
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    anchors = [a.get("href") for a in elements(document, "a") if a.get("href").startswith("#")]
    assert len(anchors) > 20
    assert {anchor[1:] for anchor in anchors} <= set(ids)


def test_page_asks_nothing_of_the_network(page):
    document, _ = parse(page)
    loading = [
        element.get(attribute)
        for element in document.iter()
        for attribute in ("src", "srcset", "data", "action", "poster")
        if element.get(attribute)
    ]
    assert loading
    assert all(address.startswith("data:") for address in loading)
    assert elements(document, "link") == []
    assert "@import" not in page
    assert "url(" not in page
    for a in elements(document, "a"):
        assert a.get("href").startswith("#") or a.get("class") == "citation"


def test_page_shows_every_item(results):
    page = results.build()
    text = text_of(page)
    figures = [item for item in results.items if item.kind == "figure"]
    assert page.count("<img ") == len(figures)
    for item in results.items:
        if item.kind != "data":
            assert item.title in text, item
    for sample in results.samples.values():
        assert sample.title in text
        assert sample.description in text
        assert sample.reference in text


def test_every_table_states_number_digest_and_seeds(page):
    document, _ = parse(page)
    for table in elements(document, "table"):
        title = "".join(elements(table, "caption")[0].itertext())
        assert title.strip()
        if "Scores" in title or "Differences" in title:
            notes = next(
                "".join(p.itertext())
                for p in elements(document, "p")
                if p.get("id") == table.get("aria-describedby")
            )
            assert "N = 1,000" in notes
            assert re.search(r"test digest of seed 1: \w{12}; seed 7: \w{12}", notes)
            assert "seeds 1, 7" in notes
            assert "95 % interval" in notes


def test_tables_and_figures_can_be_read_without_eyes(page):
    document, _ = parse(page)
    for image in elements(document, "img"):
        assert len(image.get("alt")) > 20
    for table in elements(document, "table"):
        assert all(head.get("scope") in ("col", "row") for head in elements(table, "th"))
    assert len(elements(document, "h1")) == len(elements(document, "main")) == 1
    assert [nav.get("aria-label") for nav in elements(document, "nav")] == ["Contents"]
    levels = [int(e.tag[-1]) for e in document.iter() if re.fullmatch(r".*}h[1-6]", str(e.tag))]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_no_missing_value_is_printed_as_nan(page):
    words = re.findall(r"\b(?:nan|none|inf|null|undefined)\b", text_of(page), re.IGNORECASE)
    allowed = {"None", "none", "null"}  # no defect found, calibration: none, YAML null
    assert set(words) <= allowed
    assert "–" in text_of(page)


def test_equal_inputs_give_equal_bytes(results):
    results.build("first.html")
    results.build("second.html")
    first = (results.folder / "first.html").read_bytes()
    assert first == (results.folder / "second.html").read_bytes()
    assert str(results.folder).encode() not in first


def test_hostile_text_from_yaml_stays_text(results):
    hostile = "</title><script>alert(1)</script><img src=x onerror=alert(2)> & \"'"
    sample = results.samples["mixed"]
    results.samples["mixed"] = sample.model_copy(
        update={"title": hostile, "description": hostile, "reference": hostile}
    )
    page = results.build()
    document, errors = parse(page)
    assert errors == []
    assert len(elements(document, "script")) == 1
    assert all(image.get("src").startswith("data:image/") for image in elements(document, "img"))
    assert hostile in "".join(document.itertext())


def test_hostile_text_from_tables_stays_text(results):
    item = results.item("defects", sample="mixed")
    with Path(item.path).open("a", encoding="utf-8") as stream:
        stream.write('"<b onclick=x>",exactly 0,1,kept,4\n')
    document, _ = parse(results.build())
    assert any("<b onclick=x>" in (th.text or "") for th in elements(document, "th"))


def test_svg_figures_cannot_run_scripts(svg_page):
    document, _ = parse(svg_page)
    assert elements(document, "img")
    assert all("svg+xml;base64," in image.get("src") for image in elements(document, "img"))
    assert not [element for element in document.iter() if str(element.tag).endswith("}svg")]


def test_summary_names_the_best_model_and_what_it_is_not_told_apart_from(page):
    text = text_of(page)
    # written by the fixture: the first regressor is best, the last classifier
    assert "best of all by σNMAD is mean, on these objects not told apart from linear." in text
    assert "best of all by macro F1 is vote" in text


def test_devices_versions_and_digests_come_from_the_predictions(results):
    text = text_of(results.build())
    assert "2.4.1" in text
    assert "float64" in text
    results.predictions = []
    text = text_of(results.build())
    assert "2.4.1" not in text
    assert "built without the predictions' provenance" in text


def test_the_run_configuration_is_printed_with_its_defaults(page):
    text = text_of(page)
    assert "replicates: 200" in text
    assert "min_samples_leaf" in text


def test_the_glossary_explains_every_metric(page):
    text = text_of(page)
    for metric in METRICS.values():
        assert metric.formula in text
        assert metric.meaning in text


def test_summary_names_the_best_density_with_its_scores(page):
    document, _ = parse(page)
    headlines = [a for a in elements(document, "article") if a.get("class") == "headline"]
    texts = [" ".join("".join(a.itertext()).split()) for a in headlines]
    with_densities = [text for text in texts if "Of those that give a density p(z)" in text]
    assert len(with_densities) == 2  # mixed, split by lot and in folds
    for text in with_densities:
        assert "best by CRPS is trees, on these objects not told apart from local." in text
        for label in ("CRPS", "PIT KS", "conformal95"):
            assert label in text.split("Of those that give a density p(z)")[1]


def test_densities_have_a_section_with_scores_stacks_and_folded_point_summaries(page):
    document, _ = parse(page)
    sections = {e.get("id"): e for e in elements(document, "section")}
    assert "galaxies-regress-drawn-pdf" not in sections
    section = sections["mixed-regress-folds-pdf"]
    tables = {}
    for table in elements(section, "table"):
        title = "".join(elements(table, "b")[0].itertext())
        tables[title] = table
    heads = ["".join(th.itertext()) for th in elements(tables["Scores of p(z)."], "th")]
    assert not any("of the mean" in head for head in heads)
    points = tables["Scores of the mean, median and mode of p(z)."]
    heads = " ".join("".join(th.itertext()) for th in elements(points, "th"))
    assert all(f"of the {point}" in heads for point in ("mean", "median", "mode"))
    stacks = "".join(tables["Means and widths of the stacks."].itertext())
    assert "0.0021" in stacks
    assert "[0.0011, 0.0031]" in stacks
    folded = ["".join(elements(d, "summary")[0].itertext()) for d in elements(section, "details")]
    assert len(folded) == 6  # of which two searches
    links = [a.get("href") for nav in elements(document, "nav") for a in elements(nav, "a")]
    assert "#mixed-regress-folds-pdf" in links


def test_searches_are_shown_folded_with_model_and_seed_in_the_title(page):
    document, _ = parse(page)
    (section,) = (
        e for e in elements(document, "section") if e.get("id") == "mixed-regress-folds-pdf"
    )
    searches = {
        "".join(elements(details, "summary")[0].itertext()).strip(): details
        for details in elements(section, "details")
        if "Search" in "".join(elements(details, "summary")[0].itertext())
    }
    assert len(searches) == 2
    for seed in (1, 7):
        (title,) = (x for x in searches if f"Search for settings: ensemble, seed {seed}" in x)
        text = " ".join("".join(searches[title].itertext()).split())
        assert "weight decay" in text
        assert "0.0078" in text
        assert "only if they are better" in text
        assert "test digest" not in text  # judged on the validation part
