"""Partitions: the same numbers however rows are parted, bounded memory, and what is set aside."""

import json

import estimate_partition as rule
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.cuts import MagnitudeRange
from sdssflow.configuration.sources import FileSource
from sdssflow.configuration.targets import AppliedModel, ClassPriors, Target
from sdssflow.estimate import gathering, streaming
from sdssflow.estimate.classes import with_priors
from sdssflow.estimate.partitions import Partition, partitions
from sdssflow.estimate.summary import Sky
from sdssflow.redshift_pdf.qp_files import read_pdfs
from sdssflow.tables import content_digest, metadata, read_schema, write_parquet
from tests.estimate.conftest import sky, without_truth
from tests.estimate.test_bundle import same
from tests.jobs import run as run_script


def target(path, columns, **more):
    """Return a target of one file or folder whose columns have the catalogue's names."""
    source = FileSource(kind="file", path=str(path), columns={n: n for n in columns})
    return Target(title="some", source=source, models=[AppliedModel(bundle="b")], **more)


def run(place, settings, partition, bundles, pdfs=False):
    """Run the rule's script; return the paths of its outputs."""
    place.mkdir(exist_ok=True)
    outputs = {name: place / f"{name}.parquet" for name in ("estimates", "drawn", "sky")}
    outputs["summary"] = place / "summary.json"
    if pdfs:
        outputs["pdfs"] = place / "pdfs.hdf5"
    params = {
        "target": settings.canonical(),
        "name": "t",
        "part": list(partition)[1:],
        "source_files": [partition.path],
        "drawn": 1000,
    }
    inputs = {"bundles": list(bundles), "catalogue": []}
    run_script(rule, inputs, outputs, **params)
    return outputs


def summary(outputs):
    return json.loads(outputs["summary"].read_text())


@pytest.fixture(scope="module")
def given():
    """2,500 objects without truth."""
    return without_truth(sky(2500, seed=5))


@pytest.fixture
def file(tmp_path, given):
    """The same as a Parquet file of several row groups, and its target."""
    path = tmp_path / "rows.parquet"
    pq.write_table(given, path, row_group_size=700)
    return path, target(path, given.column_names)


def test_parts_of_a_file_have_the_rows_of_the_file_once_and_in_order(
    tmp_path, file, classes, redshifts, models, given
):
    path, settings = file
    found = [
        pq.read_table(
            run(tmp_path / str(k), settings, Partition(str(path), k, 3), [classes, redshifts])[
                "estimates"
            ]
        )
        for k in range(3)
    ]
    together = pa.concat_tables(found)
    assert together["row_id"].to_pylist() == list(range(2500))
    for name in ("objid", "ra", "dec"):
        assert together[name].equals(pa.chunked_array(given[name].chunks).cast(given[name].type))
    for model in models:
        wanted = model.estimate(given, extinction_applied=False)
        same(wanted.drop_columns(["objid", "ra", "dec"]), together)


def test_assumed_priors_are_applied_and_stand_in_the_metadata(tmp_path, file, classes, models):
    path, settings = file
    mix = ClassPriors(GALAXY=0.2, QSO=0.1, STAR=0.7)
    assumed = settings.model_copy(update={"class_priors": mix})
    partition = Partition(str(path), 0, 5)
    paths = [
        run(tmp_path / name, its, partition, [classes])["estimates"]
        for name, its in (("raw", settings), ("assumed", assumed))
    ]
    stated = [metadata(read_schema(path))["class_priors"] for path in paths]
    assert stated == ["training part", mix.model_dump()]
    trained = np.array([models[0].manifest.class_priors[name] for name in CLASSES])
    raw, found = (
        np.column_stack([table[f"probability_{name}"].to_numpy() for name in CLASSES])
        for table in map(pq.read_table, paths)
    )
    expected = with_priors(raw.astype(float), trained, np.array([0.2, 0.1, 0.7]))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    one, other = (pq.read_table(path)["class_set_90"] for path in paths)
    assert one.equals(other)


def test_blocks_change_nothing(tmp_path, file, classes, redshifts, monkeypatch):
    path, settings = file
    part = Partition(str(path), 0, 1)
    whole = run(tmp_path / "a", settings, part, [classes, redshifts])
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 300)
    blocks = run(tmp_path / "b", settings, part, [classes, redshifts])
    same(*(pq.read_table(paths["estimates"]) for paths in (whole, blocks)))
    one, other = (pq.read_table(paths["drawn"]) for paths in (whole, blocks))
    assert one["row_id"].equals(other["row_id"])
    assert len(one) == 1000
    numbers = [summary(paths)["numbers"] for paths in (whole, blocks)]
    assert numbers[0] == numbers[1]


def test_a_few_bad_rows_at_the_end_are_no_wrong_column(tmp_path, given, redshifts, monkeypatch):
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 1249)
    path = tmp_path / "rows.csv"
    frame = given.to_pandas()
    frame.loc[2498:, "model_mag_g"] = 0
    frame.to_csv(path, index=False)
    settings = target(path, given.column_names)
    outputs = run(tmp_path / "o", settings, Partition(str(path), 0, 1), [redshifts])
    assert pq.read_table(outputs["estimates"])["zphot"].null_count == 2
    assert [its["count"] for its in summary(outputs)["defects"]] == [2]
    flow = gathering.flow_of([summary(outputs)] * 2).set_index("what")
    assert flow.loc["model_mag_g: out of range, set to null", "objects"] == 4


def test_a_file_of_another_digest_is_set_aside(tmp_path, file, redshifts):
    path, settings = file
    source = settings.source.model_copy(update={"sha256": "0" * 64})
    settings = settings.model_copy(update={"source": source})
    outputs = run(tmp_path / "p", settings, Partition(str(path), 0, 1), [redshifts])
    assert "its SHA-256 is" in summary(outputs)["refused"]


def test_the_same_partition_gives_the_same_bytes(tmp_path, file, classes, redshifts):
    path, settings = file
    again = [run(tmp_path / k, settings, Partition(str(path), 0, 2), [redshifts]) for k in "ab"]
    for name in again[0]:
        assert again[0][name].read_bytes() == again[1][name].read_bytes(), name


@pytest.mark.parametrize("form", ["fits", "csv", "votable", "ecsv", "hdf5"])
def test_other_formats_give_the_same_numbers(tmp_path, given, file, redshifts, form):
    path, settings = file
    wanted = pq.read_table(
        run(tmp_path / "p", settings, Partition(str(path), 0, 1), [redshifts])["estimates"]
    )
    other = tmp_path / f"rows.{form}"
    how = {"votable": {"format": "votable"}, "hdf5": {"path": "rows"}}
    Table(given.to_pydict()).write(other, **how.get(form, {}))
    found = [
        run(
            tmp_path / str(k),
            target(other, given.column_names),
            Partition(str(other), k, 2),
            [redshifts],
        )
        for k in range(2)
    ]
    same(wanted, pa.concat_tables(pq.read_table(paths["estimates"]) for paths in found))


def test_cuts_are_counted_and_leave_no_row(tmp_path, given, file, redshifts):
    path, settings = file
    cut = MagnitudeRange(cut="magnitude_range", maximum=17.0)
    outputs = run(
        tmp_path / "c",
        settings.model_copy(update={"cuts": [cut]}),
        Partition(str(path), 0, 1),
        [redshifts],
    )
    bright = given["model_mag_r"].to_numpy() <= 17.0
    table, said = pq.read_table(outputs["estimates"]), summary(outputs)
    assert table["row_id"].to_pylist() == np.flatnonzero(bright).tolist()
    assert said["cuts"][0]["removed"] == 2500 - bright.sum()
    assert said["numbers"]["kept"] == bright.sum()
    flow = gathering.flow_of([said, said])
    assert flow.set_index("what").loc["kept", "objects"] == 2 * bright.sum()


@pytest.mark.parametrize("form", ["none", "quantiles_5", "mixture", "quantiles_99"])
def test_forms_of_pdfs_hold_the_same_density(tmp_path, file, redshifts, form):
    path, settings = file
    settings = settings.model_copy(update={"pdf": form})
    outputs = run(
        tmp_path / "f", settings, Partition(str(path), 0, 5), [redshifts], form == "quantiles_99"
    )
    table = pq.read_table(outputs["estimates"])
    median = table["zphot_median"].to_numpy()
    if form == "quantiles_5":
        levels = np.array(table["pdf_quantiles"].to_pylist())
        np.testing.assert_allclose(levels[:, 2], median, atol=1e-6)
        assert (np.diff(levels, axis=1) >= 0).all()
    elif form == "mixture":
        weights, means, scales = (
            np.array(table[f"pdf_{name}"].to_pylist()) for name in ("weights", "means", "scales")
        )
        from scipy.stats import norm

        below = weights * (norm.cdf((median[:, None] - means) / scales) - norm.cdf(-means / scales))
        np.testing.assert_allclose(below.sum(axis=1), 0.5, atol=1e-4)
    elif form == "quantiles_99":
        pdfs, ancil = read_pdfs(outputs["pdfs"])
        assert ancil["row_id"].tolist() == table["row_id"].to_pylist()
        place = int(np.argmin(np.abs(pdfs.levels - 0.5)))
        np.testing.assert_allclose(pdfs.redshifts[:, place], median, atol=1e-6)
    assert (summary(outputs)["pdf_bytes"] > 0) == (form in ("quantiles_5", "mixture"))


@pytest.mark.parametrize("damaged", [False, True])
def test_a_partition_without_objects_has_an_empty_file_of_pdfs(tmp_path, file, redshifts, damaged):
    path, settings = file
    nothing = MagnitudeRange(cut="magnitude_range", magnitudes="model", band="r", maximum=2)
    settings = settings.model_copy(update={"pdf": "quantiles_99", "cuts": [nothing]})
    if damaged:
        path.write_bytes(b"PAR1 damaged")
    outputs = run(tmp_path / "f", settings, Partition(str(path), 0, 1), [redshifts], True)
    pdfs, ancil = read_pdfs(outputs["pdfs"])
    assert len(pdfs) == len(ancil["row_id"]) == len(pq.read_table(outputs["estimates"])) == 0
    assert bool(summary(outputs)["refused"]) == damaged


@pytest.mark.parametrize("form", ["none", "quantiles_5"])
def test_weights_in_the_bins_are_what_pdf_has_between_their_edges(tmp_path, file, redshifts, form):
    path, settings = file
    partition = Partition(str(path), 0, 5)
    plain = pq.read_table(run(tmp_path / "p", settings, partition, [redshifts])["estimates"])
    edges = [plain[name][7].as_py() for name in ("z_low_95", "z_low_68", "z_high_68", "z_high_95")]
    update = {"nz_weights": True, "tomographic_edges": edges, "pdf": form}
    outputs = run(tmp_path / "f", settings.model_copy(update=update), partition, [redshifts])
    weights = np.array(pq.read_table(outputs["estimates"])["nz_weights"].to_pylist())
    assert weights.shape == (len(plain), 3)
    assert (weights >= 0).all() and (weights.sum(axis=1) <= 1 + 1e-6).all()
    np.testing.assert_allclose(weights[7], [0.135, 0.68, 0.135], atol=0.006)


def test_weights_in_bins_need_bins_of_redshifts(tmp_path, file, classes):
    path, settings = file
    outputs = run(
        tmp_path / "f", settings.model_copy(update={"nz_weights": True}),
        Partition(str(path), 0, 5), [classes],
    )  # fmt: skip
    assert "nz_weights need a p(z) and tomographic bins" in summary(outputs)["refused"]


def twice(table):
    return pa.concat_tables([table.slice(0, 10), table.slice(5, 10)])


def without(name):
    return lambda table: table.drop_columns(name)


def replaced(name, values):
    return lambda table: table.set_column(
        table.column_names.index(name), name, pa.array(values(len(table)))
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (twice, "objid 1237648720000000005 is repeated"),
        (without("model_mag_z"), "no column 'model_mag_z'"),
        (lambda table: table.slice(0, 0), "no rows"),
        (replaced("model_mag_g", lambda n: np.full(n, np.nan)), "no usable value in any row"),
        (replaced("extinction_r", lambda n: [None] * n), "column 'extinction_r'"),
        (replaced("model_mag_g", lambda n: np.geomspace(50, 5e4, n)), "outside"),
        (replaced("model_mag_g", lambda n: ["many"] * n), "model_mag_g"),
        (b"PAR1 damaged", "its suffix is that of Parquet, but it is text"),
        (None, "no such file"),
    ],
)
def test_a_partition_that_cant_be_used_is_set_aside(tmp_path, given, redshifts, change, words):
    path = tmp_path / "rows.parquet"
    if callable(change):
        pq.write_table(change(given), path)
    elif change is not None:
        path.write_bytes(change)
    outputs = run(
        tmp_path / "out", target(path, given.column_names), Partition(str(path), 0, 1), [redshifts]
    )
    assert words in summary(outputs)["refused"]
    assert "\n" not in summary(outputs)["refused"]
    assert pq.read_table(outputs["estimates"]).num_rows == 0
    listed = gathering.listing(["p"], [str(path)], [summary(outputs)], {})
    with pytest.raises(ValueError, match="1 of 1 partitions were set aside"):
        gathering.require_complete(listed, "t")


def test_a_damaged_page_in_the_middle_leaves_nothing_half_written(tmp_path, given, redshifts):
    path = tmp_path / "rows.parquet"
    pq.write_table(given, path, row_group_size=500, write_page_checksum=True, compression="none")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    outputs = run(
        tmp_path / "out", target(path, given.column_names), Partition(str(path), 0, 1), [redshifts]
    )
    assert summary(outputs)["refused"]
    assert pq.read_table(outputs["estimates"]).num_rows == 0


def test_two_models_of_one_task_are_refused(tmp_path, file, redshifts, folds_of_redshifts):
    path, settings = file
    outputs = run(
        tmp_path / "out", settings, Partition(str(path), 0, 1), [redshifts, folds_of_redshifts]
    )
    assert "both models to regress" in summary(outputs)["refused"]


def test_partitions_of_a_folder_are_named_by_its_files(tmp_path):
    folder = tmp_path / "rows"
    for name in ("b.parquet", "a.fits", "sub/a.fits", "_SUCCESS", ".hidden", "a_.fits"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).touch()
    settings = target(folder, ["ra"])
    found = partitions("t", settings)
    assert {part.path.rpartition("rows/")[2] for part in found.values()} == {
        "a.fits", "a_.fits", "b.parquet", "sub/a.fits",
    }  # fmt: skip
    assert {"a", "b", "sub_a"} < set(found)
    (folder / "aa.parquet").touch()
    assert found.items() <= partitions("t", settings).items()
    twice = partitions("t", settings.model_copy(update={"partitions": 2}))
    assert len(twice) == 2 * 5
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="no data file"):
        partitions("t", target(empty, ["ra"]))


def test_the_sky_adds_up(tmp_path, given, file, classes, redshifts):
    path, settings = file
    skies = [
        run(tmp_path / str(k), settings, Partition(str(path), k, 2), [classes, redshifts])["sky"]
        for k in range(2)
    ]
    found = gathering.sky_of(skies)
    assert sum(found["objects"].to_pylist()) == 2500
    assert found["cell"].to_pylist() == sorted(set(found["cell"].to_pylist()))
    whole = gathering.sky_of(
        [run(tmp_path / "w", settings, Partition(str(path), 0, 1), [classes, redshifts])["sky"]]
    )
    assert content_digest(whole.select(["cell", "objects", "zphot_median"])) == content_digest(
        found.select(["cell", "objects", "zphot_median"])
    )


def test_objects_without_probabilities_make_no_cell_poorer_in_stars(tmp_path):
    sky = Sky()
    positions = pa.table({"ra": [10.0, 10.0, 10.0, 200.0], "dec": [20.0, 20.0, 20.0, -5.0]})
    stars = np.array([0.8, np.nan, 0.6, np.nan])
    sky.add(positions, {"class_code": np.zeros(4, np.uint8), "probability_STAR": stars})
    write_parquet(sky.table(), tmp_path / "sky.parquet")
    found = gathering.sky_of([tmp_path / "sky.parquet"]).sort_by("objects")
    assert found["objects"].to_pylist() == [1, 3]
    np.testing.assert_allclose(found["stars"].to_numpy(), [np.nan, 0.7])


def test_a_stage_that_fails_stops_the_others():
    def items():
        yield 1
        raise RuntimeError("read error")

    with pytest.raises(RuntimeError, match="read error"):
        list(streaming.ahead(map(str, streaming.ahead(items()))))
    endless = streaming.ahead(iter(int, 1))
    assert next(endless) == 0
    endless.close()
