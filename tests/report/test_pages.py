import itertools
import re
from pathlib import Path

import html5lib
import pytest

from sdssflow.report import rendering
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


def ids(document):
    return [element.get("id") for element in document.iter() if element.get("id")]


def links(document):
    return [a.get("href") for a in elements(document, "a")]


@pytest.fixture(params=["index", "galaxies", "mixed", "faint", "sky"])
def page(request, pages, with_targets):
    return (with_targets.pages | pages)[request.param]


def test_page_is_valid_html_without_duplicate_ids(page):
    document, errors = parse(page)
    assert errors == []
    assert len(ids(document)) == len(set(ids(document))) > 5


def test_links_lead_to_pages_anchors_and_files_that_exist(built):
    pages = built.pages
    paths = dict(zip(pages, [built.output.report, *built.output.pages], strict=True))
    known = {Path(paths[name]): set(ids(parse(text)[0])) for name, text in pages.items()}
    followed = 0
    for name, text in pages.items():
        for link in links(parse(text)[0]):
            if link.startswith("https:"):
                continue
            file, _, anchor = link.partition("#")
            assert not file.startswith("/")
            target = (Path(paths[name]).parent / file).resolve() if file else Path(paths[name])
            assert target.is_file(), (name, link)
            if anchor:
                assert anchor in known[target], (name, link)
            followed += 1
    assert followed > 100


def test_page_asks_nothing_of_the_network(page):
    document, _ = parse(page)
    loading = [
        element.get(attribute)
        for element in document.iter()
        for attribute in ("src", "srcset", "data", "action", "poster")
        if element.get(attribute)
    ]
    assert all(address.startswith("data:") for address in loading)
    assert elements(document, "link") == []
    assert "@import" not in page
    assert "url(" not in page
    outside = [a for a in elements(document, "a") if "//" in a.get("href")]
    assert all(a.get("class") == "citation" for a in outside)


def test_pages_show_every_item_of_their_sample_and_the_index_the_others(built):
    pages = built.pages
    texts = {name: text_of(page) for name, page in pages.items()}
    for name, page in pages.items():
        figures = [
            item
            for item in built.items
            if item.kind == "figure" and (item.sample or "index") == name
        ]
        further = len(built.samples) if name == "index" else 0  # a picture of each
        assert page.count("<img ") - further == len(figures) > 0
    for item in built.items:
        if item.kind != "data":
            assert item.title in texts[item.sample or "index"], item
    for name, sample in built.samples.items():
        assert sample.title in texts[name]
        assert sample.title in texts["index"]
        assert sample.description in texts[name]
        assert sample.reference in texts[name]


def test_every_table_states_number_digest_and_seeds(page):
    document, _ = parse(page)
    for table in elements(document, "table"):
        title = "".join(elements(table, "caption")[0].itertext())
        assert title.strip()
        if re.search("Scores(?! against the truth)|Differences", title):
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
    navigation = [nav.get("aria-label") for nav in elements(document, "nav")]
    assert navigation == ["Pages of this report", "Contents"]
    levels = [int(e.tag[-1]) for e in document.iter() if re.fullmatch(r".*}h[1-6]", str(e.tag))]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_no_missing_value_is_printed_as_nan(pages, page):
    words = re.findall(r"\b(?:nan|none|inf|null|undefined)\b", text_of(page), re.IGNORECASE)
    allowed = {"None", "none", "null"}  # no defect found, calibration: none, YAML null
    assert set(words) <= allowed
    assert "–" in text_of(pages["mixed"])


def test_equal_inputs_give_equal_bytes(results):
    written = []
    for output in ("first", "second"):
        results.build(output)
        folder = results.folder / output
        found = {path.relative_to(folder): path for path in sorted(folder.rglob("*.*"))}
        written.append({path: file.read_bytes() for path, file in found.items()})
    assert written[0] == written[1]
    assert {path.suffix for path in written[0]} == {".html", ".md", ".tex"}
    assert not any(str(results.folder).encode() in content for content in written[0].values())


def test_the_page_of_a_sample_that_the_run_has_no_more_goes(results):
    old = results.folder / "renamed/report/before.html"
    old.parent.mkdir(parents=True)
    old.write_text("of another run")
    pages = results.build("renamed")
    assert {path.stem for path in old.parent.iterdir()} == {*pages} - {"index"}


def test_hostile_text_from_yaml_stays_text(results, pages):
    hostile = "</title><script>alert(1)</script><img src=x onerror=alert(2)> & \"'"
    sample = results.samples["mixed"]
    results.samples["mixed"] = sample.model_copy(
        update={"title": hostile, "description": hostile, "reference": hostile}
    )
    for name, page in results.build().items():
        document, errors = parse(page)
        assert errors == []
        scripts = len(elements(document, "script"))
        assert scripts == len(elements(parse(pages[name])[0], "script"))
        images = elements(document, "img")
        assert all(image.get("src").startswith("data:image/") for image in images)
        assert name == "galaxies" or hostile in "".join(document.itertext())


def test_hostile_text_from_tables_stays_text(results):
    item = results.item("defects", sample="mixed")
    with Path(item.path).open("a", encoding="utf-8") as stream:
        stream.write('"<b onclick=x>",exactly 0,1,kept,4\n')
    document, _ = parse(results.build()["mixed"])
    assert any("<b onclick=x>" in (th.text or "") for th in elements(document, "th"))


def test_svg_figures_cannot_run_scripts(svg_pages):
    for page in svg_pages.values():
        document, _ = parse(page)
        assert elements(document, "img")
        assert all("svg+xml;base64," in image.get("src") for image in elements(document, "img"))
        inside = [element for element in document.iter() if str(element.tag).endswith("}svg")]
        assert not inside


def test_summary_names_the_best_model_and_what_it_is_not_told_apart_from(pages):
    text = text_of(pages["index"])
    # written by the fixture: the first regressor is best, the last classifier
    assert "Best model by σNMAD: mean, not significantly better than linear." in text
    assert "Best model by macro F1: vote" in text


def test_the_index_begins_each_sample_with_what_was_found_and_its_most_telling_figure(built):
    document, _ = parse(built.pages["index"])
    sections = {e.get("id"): e for e in elements(document, "section")}
    found = {
        name: " ".join("".join(sections[f"summary-{name}"].itertext()).split())
        for name in built.samples
    }
    assert "Redshifts of 1,000 test objects: σNMAD = 0.012" in found["galaxies"]
    assert "Classes of 1,000 test objects: macro F1 = 0.9" in found["mixed"]
    assert "; p(z): CRPS = 0.0071" in found["mixed"]
    assert found["mixed"].index("Redshifts of") < found["mixed"].index("The data.")
    for name in built.samples:
        (picture,) = elements(sections[f"summary-{name}"], "img")
        item = max((i for i in built.items if i.sample == name), key=lambda item: item.telling)
        assert picture.get("alt").startswith(item.title)
        assert item.name == "best_zphot_zspec"


def test_devices_versions_and_digests_come_from_the_predictions(results, pages):
    text = text_of(pages["index"])
    assert "2.4.1" in text
    assert "float64" in text
    results.predictions = []
    pages = results.build()
    text = text_of(pages["index"])
    assert "2.4.1" not in text
    assert 'class="chart objects"' not in pages["mixed"]
    assert "The predictions have no provenance." in text


def test_the_run_configuration_is_printed_with_its_defaults(pages):
    text = text_of(pages["index"])
    assert "replicates: 200" in text
    assert "min_samples_leaf" in text


def test_the_glossary_explains_every_metric(pages):
    text = text_of(pages["index"])
    for metric in METRICS.values():
        assert metric.formula in text or metric.formula.replace("σ_", "σ") in text
        assert metric.meaning in text


def test_summary_names_the_best_density_with_its_scores(pages):
    document, _ = parse(pages["index"])
    headlines = [a for a in elements(document, "article") if a.get("class") == "headline"]
    texts = [" ".join("".join(a.itertext()).split()) for a in headlines]
    with_densities = [text for text in texts if "Best p(z) by" in text]
    assert len(with_densities) == 2  # mixed, split at random and in folds
    for text in with_densities:
        assert "Best p(z) by CRPS: trees, not significantly better than local." in text
        for label in ("CRPS", "PIT KS", "conformal95"):
            assert label in text.split("Best p(z) by")[1]


def test_densities_have_a_section_with_scores_stacks_and_folded_point_summaries(pages):
    document, _ = parse(pages["mixed"])
    sections = {e.get("id"): e for e in elements(document, "section")}
    assert "galaxies-regress-drawn-pdf" not in sections
    section = sections["mixed-regress-folds-pdf"]
    tables = {}
    for table in elements(section, "table"):
        title = "".join(elements(table, "b")[0].itertext())
        tables[title] = table
    heads = ["".join(th.itertext()) for th in elements(tables["Scores of p(z)."], "th")]
    assert not any("of the mean" in head for head in heads)
    points = tables["Scores of the mean, median and best point of p(z)."]
    heads = " ".join("".join(th.itertext()) for th in elements(points, "th"))
    assert all(f"of the {point}" in heads for point in ("mean", "median", "best"))
    stacks = "".join(tables["Means and widths of the stacks."].itertext())
    assert "0.0021" in stacks
    assert "[0.0011, 0.0031]" in stacks
    folded = ["".join(elements(d, "summary")[0].itertext()) for d in elements(section, "details")]
    assert len(folded) == 7  # of which two searches, and a figure that stands as a chart too
    assert "#mixed-regress-folds-pdf" in links(document)


def test_searches_are_shown_folded_with_model_and_seed_in_the_title(pages):
    document, _ = parse(pages["mixed"])
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


def test_a_feature_that_says_nearly_everything_is_told_in_short(pages):
    said = "Each determines nearly everything alone. Is it a measurement? flux."
    assert said in " ".join(pages["mixed"].split())
    assert "Features to look at" not in pages["galaxies"]
    assert "Information in each feature alone" in pages["galaxies"]


def test_only_names_of_scores_have_subscripts():
    for text, set_ in {
        "σ_68 of Δz": "σ<sub>68</sub> of Δz",
        "outliers_3σ, outliers_0.05.": "outliers<sub>3σ</sub>, outliers<sub>0.05</sub>.",
        "conformal width_95": "conformal width<sub>95</sub>",
        "local_linear on sky_cell, width_r": "local_linear on sky_cell, width_r",
    }.items():
        assert rendering._prose(text) == set_


def test_scores_where_spectra_are_rare_have_labels_and_intervals(pages):
    document, _ = parse(pages["mixed"])
    (table, *_) = (t for t in elements(document, "table")
                   if "spectra are rare" in "".join(t.itertext()))  # fmt: skip
    cells = ["".join(cell.itertext()) for cell in elements(table, "td")]
    assert cells == [
        "1", "σNMAD", "-", "0.0163", "0.0145 [0.0120, 0.0165]", "0.0124", "239", "193"
    ]  # fmt: skip


def test_cells_with_long_text_have_room(page):
    """Else they are squeezed to a word per line where a table is wider than the page."""
    document, _ = parse(page)
    for cell in elements(document, "td"):
        kinds = cell.get("class").split()
        assert ("long" in kinds) == ("words" in kinds and len("".join(cell.itertext())) > 30)
