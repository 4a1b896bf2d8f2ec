import copy
import re
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from sdssflow.configuration.loading import (
    ConfigurationError,
    check_options,
    load_layers,
    load_run,
    load_sample,
    load_samples,
    read_layers,
)
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.selection import STANDARD

ROOT = Path(__file__).parents[2]
RUN = yaml.safe_load((ROOT / "config/config.yaml").read_text())
MGS = yaml.safe_load((ROOT / "config/samples/mgs.yaml").read_text())
FILE = {"kind": "file", "path": "a", "columns": {"ra": "a"}}
TAP = {"kind": "tap", "url": "https://archive.org/tap", "table": "t"}


def test_the_shipped_configuration_is_valid(monkeypatch):
    monkeypatch.chdir(ROOT)
    run = load_run(RUN)
    assert set(load_samples(run)) == set(run.samples)


def changed(content, path, value):
    content = copy.deepcopy(content)
    *parents, last = path
    place = content
    for key in parents:
        place = place[key]
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["seds"], [1], "seds: unknown key (did you mean 'seeds'?)"),
        (["bootstrap", "replicate"], 3, "replicate: unknown key (did you mean 'replicates'?)"),
        (["regressors", "forest", "tres"], 3, "tres: unknown key (did you mean 'trees'?)"),
        (["regressors", "forest", "kind"], "random_forrest", "did you mean 'random_forest'?"),
        (["regressors", "forest", "trees"], 0, "greater than or equal to 1 (found 0)"),
        (["classifiers", "vote", "members"], ["svm", "forrest"], "no classifier 'forrest'"),
        (["importance"], {"models": ["vot"]}, "models: there is no classifier or regressor 'vot'"),
        (["figures", "format"], "pngg", "did you mean 'png'?"),
        (["seeds"], [], "seeds: List should have at least 1 item"),
        (["seeds"], ["one"], "seeds.0: Input should be a valid integer"),
        (["bootstrap", "level"], "0.9", "bootstrap.level: Input should be a valid number"),
        (["bootstrap", "level"], 0.999, "bootstrap: replicates: level 0.999 needs at least 1000"),
        (["figures", "dpi"], 130.5, "figures.dpi: Input should be a valid integer"),
        (["seeds"], 1, "seeds: a list is needed (found 1); write [1]"),
        (["seeds"], [1, 2, 1], "seeds: 1 is given twice"),
        (["seeds"], [2**32], "seeds.0: Input should be less than or equal to 4294967295"),
        (["seeds"], [-1], "seeds.0: Input should be greater than or equal to 0"),
        (["seeds"], [True], "seeds.0: Input should be a valid integer (found True)"),
        (["seeds"], [1.0], "seeds.0: Input should be a valid integer (found 1.0); write 1"),
        (["seeds"], ["1_000"], "(found '1_000'); write 1000"),
        (["samples"], "mgs", "samples: a list is needed (found 'mgs'); write [mgs]"),
        (["samples"], [17], "samples.0: 17 can't be a name: a name has small letters, digits"),
        (["samples"], ["DR17"], "and begins with a letter, such as 'dr17'"),
        (["samples"], ["sdss-dr17"], "such as 'sdss_dr17'"),
        (["samples"], ["2slaq"], "such as 's_2slaq'"),
        (["samples"], ["mgs.yaml"], "such as 'mgs'"),
        (["samples"], ["a" * 200], "at most 60 of them"),
        (["samples"], ["nan"], "'nan' can't be a name, tables would read it as a value"),
        (["regressors", "figures"], {"kind": "mean"}, "figures can't be the name of a model"),
        (["classifiers", "vote", "members"], ["svm", "svm"], "members: 'svm' is given twice"),
        (["classifiers", "svm", "C"], float("inf"), "svm.C: Input should be a finite number"),
        (["classifiers", "svm", "C"], True, "svm.C: Input should be a valid number (found True)"),
        (["classifiers", "network", "hidden"], [], "hidden: List should have at least 1 item"),
        (["regressors", "ensemble", "search", "hidden"], [[8], [8]], "entry 2 is the same as"),
        (["regressors", "ensemble", "search", "noise"], [float("nan")], "a finite number"),
        (["regressors", "ensemble", "search"], {"noise": []}, "search: there is nothing to try"),
        (["downloads"], {"store": ""}, "downloads.store: a path is empty"),
        (["downloads"], {"pause_s": float("inf")}, "pause_s: Input should be a finite number"),
        (["sample_folder"], "~/samples", "'~' means your home folder only in a shell"),
        (["sample_folder"], "https://host/samples", "a URL is not a path"),
        (["bootstrap"], None, "bootstrap: a section of keys is needed (found None); write a value"),
        (["samples"], ["../etc"], "samples.0: '../etc' can't be a name: a name has small letters"),
    ],
)
def test_a_mistake_in_the_run_is_named_with_its_place(path, value, message):
    with pytest.raises(ConfigurationError) as error:
        load_run(changed(RUN, path, value))
    assert message in str(error.value)
    assert "docs/configuration.md" in str(error.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["featres"], {}, "featres: unknown key (did you mean 'features'?)"),
        (["features", "groups"], ["redshift"], "'redshift' can't be a feature: the redshift is"),
        (["features", "groups"], ["plate"], "'plate' can't be a feature: targets of a class share"),
        (["features", "groups"], ["colours"], "did you mean 'colors'?"),
        (["features", "groups"], ["wise_colours"], "did you mean 'wise_colors'?"),
        (["features", "groups"], ["concentrations"], "did you mean 'concentration'?"),
        (["features"], {"groups": ["extra"], "extra": ["parallax"]},
         "needs the column 'parallax', which the source does not have; name it in source.columns "
         "and source.declared (docs/features.md), or change features.groups"),
        (["cuts", 0, "cut"], "complete_fotometry", "did you mean 'complete_photometry'?"),
        (["cuts", 1], {"cut": "magnitude_range", "bnd": "r"}, "did you mean 'band'?"),
        (["cuts", 1], {"cut": "magnitude_range"}, "give minimum, maximum or both"),
        (["splits", "published", "tests"], 0.2, "tests: unknown key"),
        (["splits"], {}, "splits: Dictionary should have at least 1 item"),
        (["source", "kind"], "embeded", "did you mean 'embedded'?"),
        (["source"], {"kind": "embedded", "table": "mclass"}, "has no column 'published_part'"),
        (["tasks"], ["clasify"], "did you mean 'classify'?"),
        (["tasks"], ["regress", "regress"], "tasks: 'regress' is given twice"),
        (["tasks"], [], "tasks: List should have at least 1 item"),
        (["title"], {"A2142": None}, "; put text with braces or brackets in"),
        (["title"], "", "title: String should have at least 1 character"),
        (["features", "groups"], [], "features.groups: List should have at least 1 item"),
        (["features", "groups"], ["colors", "colors"], "groups: 'colors' is given twice"),
        (["features", "deredden"], "yes", "(found 'yes'); write true or false"),
        (["features", "deredden"], 1, "(found 1); write true or false"),
        (["explore", "clusters"], [], "explore.clusters: List should have at least 1 item"),
        (["explore", "embeddings"], ["pca", "pca"], "'pca' is given twice"),
        (["regressors"], ["mean", "mean"], "regressors: 'mean' is given twice"),
        (["cuts", 1], {"cut": "nonzero_redshift"}, "cuts: entry 3 is the same as entry 2"),
        (["cuts", 1], {"cut": "redshift_range", "minimum": 9.0}, "9 is not below maximum 8"),
        (["cuts", 1], {"cut": "color_range", "minimum": 8.0}, "8 is not below maximum 8"),
        (["cuts", 1], {"cut": "magnitude_error", "bands": [], "maximum": 1.0}, "at least 1 item"),
        (["cuts", 1], {"cut": "magnitude_error", "bands": ["g", "g"], "maximum": 1.0}, "'g' is gi"),

        (["splits", "Published"], {"kind": "holdout"}, "'Published' can't be a name"),
        (["splits", "x"], {"kind": "holdout", "nside": 33}, "HEALPix has no nside 33"),
        (["splits", "a" * 200], {"kind": "holdout"}, "at most 60 of them"),
        (["splits", "published", "validation"], 0.95, "leave nothing to train on"),
        (["splits", "x"], {"kind": "cross_validation", "validation": 0.8}, "leave nothing to"),
        (["splits", "x"], {"kind": "holdout", "test": 0.8}, "leave nothing to train on"),
        (["splits", "x"], {"kind": "holdout", "test": 0.0}, "test: Input should be greater than 0"),
        (["source"], {**FILE, "path": ""}, "a path is empty"),
        (["source"], {**FILE, "path": "a<z>.csv"}, "replaces <z>"),
        (["source"], {**FILE, "columns": {}}, "columns: Dictionary should"),
        (["source"], {**TAP, "columns": {"specobjid": "s", "model_mag_u": "u", "psf_mag_u": "u"}},
         "model_mag_u and psf_mag_u are both read from 'u'"),
        (["source"], {**FILE, "sentinels": [1.0, 1.0]}, "sentinels: 1.0 is given twice"),
        (["source"], {"kind": "skyserver", "columns": ["ra", "ra"]}, "'ra' is given twice"),
        (["source"], {"kind": "skyserver", "rows": "photometry"}, "no redshifts to learn from"),
        (["source"], {"kind": "skyserver", "rows": "photo"}, "did you mean 'photometry'?"),
        (["source"], {"kind": "skyserver", "rows": "photometry", "columns": ["ra", "zspec"]},
         "columns: 'zspec' belongs to a spectrum"),
        (["source"], {"kind": "skyserver", "rows": "photometry", "selection": [
            {"column": "legacy_target1", "any_bit": [6]}]},
         "selection: 'legacy_target1' belongs to a spectrum, which objects with rows: photometry"),
        (["source"], {"kind": "skyserver", "selection": [
            {"column": "plate", "minimum": 3.0, "maximum": 3.0}]}, "3 is not below maximum 3"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_sample_is_named_with_its_place(tmp_path, path, value, message):
    file = tmp_path / "mgs.yaml"
    file.write_text(yaml.safe_dump(changed(MGS, path, value)))
    with pytest.raises(ConfigurationError) as error:
        load_sample(file)
    assert message in str(error.value)
    assert str(file) in str(error.value)


def test_all_mistakes_are_named_at_once():
    content = changed(changed(RUN, ["seds"], 1), ["figures", "dpi"], 7)
    with pytest.raises(ConfigurationError) as error:
        load_run(content)
    assert "seds" in str(error.value)
    assert "figures.dpi" in str(error.value)


def test_a_missing_sample_file_names_the_nearest(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigurationError, match="did you mean 'mclass'"):
        load_samples(load_run({**RUN, "samples": ["mclas"]}))


@pytest.mark.parametrize("name", ["concepts", "provenance", "report", "workflow"])
def test_a_sample_named_as_another_folder_of_results_is_refused(name):
    with pytest.raises(ConfigurationError, match=f"{name} can't be the name of a sample"):
        load_run(changed(RUN, ["samples"], [name]))


@pytest.mark.parametrize(
    ("there", "asked", "message"),
    [
        ("mine.yml", "mine", "mine.yml has to end in .yaml: rename it to mine.yaml"),
        ("mine.YAML", "mine", "mine.YAML has to end in .yaml: rename it to mine.yaml"),
        ("Mine.yaml", "mine", "rename .*Mine.yaml to mine.yaml"),
        ("17.yaml", "s_17", "rename .*17.yaml to s_17.yaml"),
        ("sdss-dr17.yaml", "sdss_dr17", "rename .*sdss-dr17.yaml to sdss_dr17.yaml"),
    ],
)
def test_a_file_whose_name_can_not_be_used_is_renamed_and_works(tmp_path, there, asked, message):
    (tmp_path / there).write_text(yaml.safe_dump(MGS))
    run = load_run({**RUN, "samples": [asked], "sample_folder": str(tmp_path)})
    with pytest.raises(ConfigurationError, match=message):
        load_samples(run)
    (tmp_path / there).rename(tmp_path / f"{asked}.yaml")
    assert set(load_samples(run)) == {asked}


@pytest.mark.parametrize("there", ["config/samples/mgs.yml", "config/samples/MGS.yaml"])
def test_no_definition_of_the_project_takes_the_place_of_one_that_misses_the_name(
    tmp_path, monkeypatch, there
):
    monkeypatch.chdir(tmp_path)
    assert set(load_samples(load_run({**RUN, "samples": ["mgs"]}))) == {"mgs"}
    Path(there).parent.mkdir(parents=True)
    Path(there).write_text(yaml.safe_dump(MGS))
    with pytest.raises(ConfigurationError, match="rename it to mgs.yaml|rename .* to mgs.yaml"):
        load_samples(load_run({**RUN, "samples": ["mgs"]}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"regressors": []}, "regressors: tasks has 'regress', but there is no model for it"),
        ({"tasks": ["classify"], "classifiers": []}, "classifiers: tasks has 'classify'"),
        ({"regressors": ["mean", "maen"]}, "regressors: there is no 'maen' .did you mean 'mean'"),
        (
            {"splits": {name: {"kind": "holdout"} for name in ("a", "a_local")},
             "regressors": ["linear", "local_linear"]},
            "would share the file regress_a_local_linear.md; rename one split",
        ),
    ],
)  # fmt: skip
def test_models_and_files_of_a_sample_are_checked_against_the_run(tmp_path, change, message):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**MGS, **change}))
    with pytest.raises(ConfigurationError, match=message):
        load_samples(load_run({**RUN, "samples": ["mine"], "sample_folder": str(tmp_path)}))


@pytest.fixture
def layers(tmp_path, monkeypatch):
    """A function that reads run files, given as texts, over the shipped configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(RUN, sort_keys=False))

    def read(*texts, arguments=()):
        paths = ["config.yaml"]
        for number, text in enumerate(texts, 1):
            (tmp_path / f"run_{number}.yaml").write_text(text)
            paths.append(tmp_path / f"run_{number}.yaml")
        documents = read_layers(paths, arguments)
        run = load_layers(documents)
        return run, load_samples(run, documents)

    return read


@pytest.mark.parametrize(
    ("texts", "arguments", "message"),
    [
        (["seeds: [1]\nseds: [1]\n"], [], "run_1.yaml, line 2: seds: unknown key"),
        (["figures:\n  dpi: 5\n", "seeds: [2]"], [], "run_1.yaml, line 2: figures.dpi: "),
        (["figures:\n  dpi: 100\n", "figures: {dpi: 5}"], [], "run_2.yaml, line 1: figures.dpi"),
        (["regressors: {forest: {tres: 3}}"], [], "run_1.yaml, line 1: regressors.forest.tres: "),
        (["regressors: {x: {tres: 3}}"], [], "run_1.yaml, line 1: regressors.x: kind: this key is"),
        (["regressors: {x: {kind: y}}"], [], "run_1.yaml, line 1: regressors.x: kind: 'y' is not"),
        (["regressors: {forest: {kind: network, trees: 3}}"], [], "1: regressors.forest.trees"),
        (["classifiers:\n  vote:\n    members: [svm, no]"], [], "run_1.yaml, line 3: classifiers"),
        (["samples: [no]"], [], "run_1.yaml, line 1: samples: there is no file config/"),
        (["sample_folder: my"], [], "run_1.yaml, line 1: sample_folder: there is no folder my"),
        (["sample_folder: ."], [], "config.yaml, line 2: samples: there is no file mgs.yaml"),
        (["samples:\n- a\nsample_folder: ."], [], "run_1.yaml, line 2: samples: there is no file"),
        ([], ["figures={dpi: 5}"], "--config figures: figures.dpi: Input should be greater"),
        (
            [],
            ["figures={dpi: 50, dpi: 60}"],
            "--config figures, line 1: figures.dpi is given twice",
        ),
        ([], ["seeds=[1, 1]"], "--config seeds: seeds: 1 is given twice"),
        ([], ["seeds=[1]", "seeds=[2]"], "--config: seeds is given twice; keep one of them"),
        ([], ["seeds=[1"], "--config seeds, line 2: not valid YAML"),
        ([], ["seeds"], "--config: seeds: write KEY=VALUE"),
        ([], ["seeds="], "--config seeds: seeds: a list is needed (found None)"),
    ],
)
def test_a_mistake_names_the_file_that_holds_it_and_its_line(layers, texts, arguments, message):
    with pytest.raises(ConfigurationError) as error:
        layers(*texts, arguments=arguments)
    assert message in str(error.value)
    lines = str(error.value).splitlines()
    assert len([line for line in lines if "docs/configuration.md" not in line]) == 1


def test_the_command_line_goes_over_the_files(layers, tmp_path):
    (tmp_path / "mgs.yaml").write_text(yaml.safe_dump(MGS))
    run, _ = layers(
        "sample_folder: .\nsamples: [mgs]\nseeds: [1]",
        arguments=["seeds=[2, 3]", "bootstrap={replicates: 50}", "downloads={contact: no}"],
    )
    assert run.seeds == [2, 3]
    assert (run.bootstrap.replicates, run.bootstrap.level) == (50, 0.95)
    assert run.downloads.contact == "no"


@pytest.mark.parametrize("text", ["- a list", "a: [unclosed", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match="x.yaml"):
        load_sample(tmp_path / "x.yaml")


def test_canonical_text_does_not_depend_on_key_order_and_reads_back():
    sample = Sample.model_validate(MGS)
    turned = Sample.model_validate(dict(reversed(MGS.items())))
    assert sample.canonical() == turned.canonical()
    assert Sample.from_canonical(sample.canonical()) == sample


@pytest.mark.parametrize("url", ["http://me:secret@x.org", "ftp://me:sec/secret@x.org"])
def test_a_password_in_an_address_is_refused_and_not_repeated(url, tmp_path):
    content = changed(MGS, ["source"], {"kind": "skyserver", "server": url})
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError, match="source.*server: ") as error:
        load_sample(tmp_path / "x.yaml")
    assert "secret" not in str(error.value)


PETRO = [f"petro_mag_{band}" for band in "ugriz"]
MAPPED = {**FILE, "columns": dict.fromkeys(["zspec", *PETRO], "a")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cuts": [{"cut": "color_range", "magnitudes": "petro"}]},
         "cuts: color_range needs the column 'petro_mag_u', which the source does not have"),
        ({"features": {"groups": ["wise_colors"]}},
         "groups: wise_colors needs the column 'wise_mag_w1'"),
        ({"features": {"magnitudes": "petro"}}, "needs the column 'petro_mag_u'"),
        ({"source": MAPPED}, "groups: colors needs the column 'model_mag_u'"),
        ({"source": MAPPED, "tasks": ["classify"]}, "classify needs the column 'spec_class'"),
        ({"source": MAPPED, "features": {"magnitudes": "petro"},
          "splits": {"a": {"kind": "holdout", "group": "plate"}}}, "splits.a needs the column 'pl"),
        ({"source": MAPPED, "features": {"magnitudes": "petro"},
          "explore": {"figures": ["sky_map"]}}, "explore.figures: sky_map needs the"),
        ({"source": MAPPED, "features": {"magnitudes": "petro"}}, None),
        ({"source": {"kind": "skyserver", "columns": [*STANDARD, "wise_mag_w1", "wise_mag_w2",
                                                       "wise_mag_w3", "wise_mag_w4"]},
          "features": {"groups": ["wise_colors"]}}, None),
    ],
)  # fmt: skip
def test_a_column_that_the_source_will_not_have_is_missed_before_anything_runs(changes, message):
    sample = {"title": "t", "source": {"kind": "skyserver"}, "tasks": ["regress"],
              "splits": {"a": {"kind": "holdout"}}, **changes}  # fmt: skip
    with pytest.raises(ValidationError, match=re.escape(message)) if message else nullcontext():
        Sample.model_validate(sample)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--configfile", "a", "-n", "--configfile=b"], "--configfile"),
        (["--configfiles", "a", "--configfile", "b"], "--configfile"),
        (["--config", "seeds=[1]", "-C", "samples=[mgs]"], "--config"),
        (["--configfile", "a", "b", "--config", "seeds=[1]", "samples=[mgs]"], None),
    ],
)
def test_of_an_option_that_stands_twice_nothing_is_lost_without_a_word(arguments, option):
    lost = pytest.raises(ConfigurationError, match=f"{option} is given twice")
    with lost if option else nullcontext():
        check_options(arguments)
