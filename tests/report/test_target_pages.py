"""Pages of targets: objects without spectra."""

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from sdssflow.configuration.applying import Applications, estimated
from sdssflow.configuration.reading import ConfigurationError
from sdssflow.configuration.targets import read_manifest
from sdssflow.report import figures
from sdssflow.report.figures import contents
from tests.report.small_tables import manifest
from tests.report.test_pages import elements, links, parse, text_of


def section(page, anchor):
    document, _ = parse(page)
    (found,) = (e for e in elements(document, "section") if e.get("id") == anchor)
    return " ".join("".join(found.itertext()).split())


def test_a_target_has_what_its_models_give_and_its_source_knows(with_targets):
    names = {
        name: [item.name for item in with_targets.items if item.sample == name]
        for name in with_targets.targets
    }
    both = ["flow_table", "partitions", "sky"]
    assert names["faint"] == [*both, "magnitude_color", "redshift_distributions", "shift",
                              "class_priors"]  # fmt: skip
    assert names["sky"] == [*both, "redshift_distributions", "shift", "truth_scores"]
    items = [item for item in with_targets.items if item.stage == "estimate"]
    assert with_targets.items[-len(items) :] == items  # after the samples


def test_every_figure_and_table_of_a_target_is_on_its_page(with_targets):
    for name in with_targets.targets:
        page = with_targets.pages[name]
        items = [item for item in with_targets.items if item.sample == name]
        assert page.count("<img ") == sum(item.kind == "figure" for item in items) > 0
        for item in items:
            assert item.title in text_of(page), item
            assert item.caption.split(". ")[0] in text_of(page), item


def test_what_went_in(with_targets):
    text = section(with_targets.pages["faint"], "faint-data")
    for words in ("data/faint", "A survey (2020)", "model r ≤ 21 mag", "Partitions3",
                  "removed by: model r ≤ 21 mag", "40.0, 16.0 of them p(z)",
                  "Tomographic binsedges in zphot: 0, 0.07, 0.5"):  # fmt: skip
        assert words in text, words
    assert "extinction_r: no position, E(B-V) 0.03 mag assumed" in text
    assert "outside of the training part" not in text
    assert "1,230" in section(with_targets.pages["faint"], "faint-flags")


def test_how_many_are_of_each_class_and_which_mix_the_probabilities_are_for(with_targets):
    text = section(with_targets.pages["faint"], "faint-mix")
    for words in ("0.437 [0.421, 0.452]", "1,500 of the 6,000 objects",
                  "26.0 % of the objects drawn have an empty class set"):  # fmt: skip
        assert words in text, words
    text = section(with_targets.pages["faint"], "faint-data")
    assert "the mix of classes of the training part" in text
    assert "mix of classes" not in section(with_targets.pages["sky"], "sky-data")


def test_how_far_the_estimates_can_be_trusted_is_said_first(with_targets):
    index, faint, sky = (with_targets.pages[name] for name in ("index", "faint", "sky"))
    warning = "Classes and their mix are not reliable: 26.0 %"
    for page in (text_of(index), section(faint, "short")):
        assert warning in page
        assert "AUC = " in page
    assert warning not in section(sky, "short")
    assert "Against the truth of the simulation: " in section(sky, "short")


def test_models_with_what_they_were_trained_on(with_targets):
    text = section(with_targets.pages["faint"], "faint-models")
    for words in ("classes_by_forest", "redshifts_by_trees", "mixed, split folds, seed 7",
                  "3,997", "on the test part too"):  # fmt: skip
        assert words in text, words
    assert "classes_by_forest" not in text_of(with_targets.pages["sky"])


def test_partitions_set_aside_are_listed_with_the_reason_as_text(with_targets):
    page = with_targets.pages["faint"]
    text = section(page, "faint-faults")
    assert "c.csv: no column 'g' <here>" in text
    assert "data/faint/a.csv" not in text
    assert "<here>" not in page
    assert (
        "Of 10,000 objects, 6,000 have classes by classes_by_forest, 5,985 have redshifts by "
        "redshifts_by_trees."
    ) in section(page, "short")
    assert "1 of 3 partitions were set aside" in section(page, "short")
    assert "2 of its objects are in an earlier partition" in text
    assert "1 of 3 partitions repeat objects of earlier ones" in section(page, "short")


def test_without_any_set_aside_nothing_is_said_of_it(tmp_path, with_targets):
    results = type(with_targets)(tmp_path, with_targets=True)
    (item,) = (i for i in results.items if (i.sample, i.name) == ("faint", "partitions"))
    listed = pd.read_csv(item.path).assign(refused=None, repeated=None)
    listed.to_csv(item.path, index=False)
    page = results.build()["faint"]
    assert "faint-faults" not in page
    assert "set aside" not in section(page, "short")


def test_simulated_objects_are_said_to_be_so(with_targets):
    page = with_targets.pages["sky"]
    assert "A sky of our own (simulated)" in text_of(page)
    assert "no observed objects" in section(page, "short")
    assert "A sky of our own (simulated)" in text_of(with_targets.pages["index"])
    assert "simulated" not in text_of(with_targets.pages["faint"]).lower()


def test_scores_against_the_truth_with_interval_and_how_many(with_targets):
    text = section(with_targets.pages["sky"], "sky-truth")
    for words in ("0.0213", "[0.0201, 0.0225]", "true galaxies", "700",
                  "1,000 of 6,000 objects"):  # fmt: skip
        assert words in text, words


def test_every_page_links_to_the_others(with_targets):
    for name in ("faint", "sky"):
        for other in ("index", "mixed", "faint", "sky"):
            followed = links(parse(with_targets.pages[other])[0])
            assert any(link.endswith(f"{name}.html") for link in followed)
    text = section(with_targets.pages["index"], "targets")
    assert "Faint objects" in text
    assert "Of 10,000 objects, 6,000 have classes" in text
    assert "Target faint" in text_of(with_targets.pages["index"])  # its configuration


def test_links_lead_to_files_that_exist(with_targets):
    for name, path in zip(["faint", "sky"], with_targets.output.pages[-2:], strict=True):
        assert Path(path).stem == name
        for link in links(parse(with_targets.pages[name])[0]):
            file = link.partition("#")[0]
            assert not file or (Path(path).parent / file).is_file(), link


def test_pages_of_samples_differ_by_the_links_to_targets_alone(with_targets, pages):
    for name in ("galaxies", "mixed"):
        lines = with_targets.pages[name].splitlines()
        kept = [x for x in lines if '<li><a href="faint.html"' not in x and '"sky.html"' not in x]
        assert len(lines) == len(kept) + 2
        assert kept == pages[name].splitlines()
    assert "without spectra" not in text_of(pages["index"])


def test_hostile_text_stays_text(tmp_path, with_targets):
    hostile = "</title><script>alert(1)</script><img src=x onerror=alert(2)> & \"'"
    results = type(with_targets)(tmp_path, with_targets=True)
    its = results.targets["faint"]
    texts = dict.fromkeys(("title", "description", "reference"), hostile)
    target = its.target.model_copy(update=texts)
    results.targets["faint"] = its._replace(target=target)
    bundle = Path(its.models[0], "bundle.json")
    bundle.write_text(json.dumps(manifest("classify") | {"name": hostile, "licence": hostile}))
    pages = results.build()
    for name in ("faint", "index"):
        document, errors = parse(pages[name])
        assert errors == []
        scripts = len(elements(document, "script"))
        assert scripts == len(elements(parse(with_targets.pages[name])[0], "script"))
        assert hostile in "".join(document.itertext())
        assert all(i.get("src").startswith("data:") for i in elements(document, "img"))


def test_targets_are_found_in_their_order_whatever_is_asked(with_targets):
    run, samples = with_targets.run, with_targets.samples
    paths = [item.path for item in contents(run, samples, targets=with_targets.targets)]
    assert len(paths) == len(set(paths))
    assert "results/faint/figures/magnitude_color.png" in paths
    assert figures.shown_at("results/{target,faint}/figures/sky.png")[1].title == "On the sky"
    assert figures.shown_at("results/{target}/flow.csv")[1].label == "flow_table"


def test_tasks_of_bundles_on_disk_are_read_from_folder_and_zip(tmp_path, with_targets):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "bundle.json").write_text(json.dumps(manifest("classify")))
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("bundle.json", json.dumps(manifest("regress")))
    target = with_targets.targets["faint"].target
    paths = [str(folder), str(tmp_path / "bundle.zip"), str(tmp_path / "missing")]
    found = estimated(Applications({}, {"faint": target}, {"faint": paths}, []))
    assert found["faint"].tasks == ["classify", "regress"]


@pytest.mark.parametrize("text", ["{", "[]", '{"task": "dance"}', "{}"])
def test_what_is_no_bundle_is_refused_by_name(tmp_path, text):
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(ConfigurationError, match=f"{tmp_path}: not the bundle"):
        read_manifest(tmp_path)
    with pytest.raises(ConfigurationError, match=r"bundle.json: not the bundle"):
        read_manifest(tmp_path / "bundle.json")


def test_a_damaged_archive_is_refused_by_name(tmp_path):
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", json.dumps(manifest("regress")))
    content = bytearray(path.read_bytes())
    content[50:70] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"bundle.zip: not the bundle .*can't be read"):
        read_manifest(path)
