"""HDF5 as programs lay it out, and files that lead out of themselves or hold less than they say."""

import h5py
import numpy as np
import pytest

from sdssflow.acquire.errors import CatalogueError
from sdssflow.tables import content_digest
from tests.acquire.files.good_table import (
    ROWS,
    catalogue,
    columns_in,
    good_columns,
    good_frame,
    write,
)

NO_TEXT = {name: to for name, to in good_columns().items() if to != "class"}


def big_endian(file):
    for name, values in good_frame().items():
        data = values.to_numpy()
        text = name == "class"
        file[name] = data.astype("S6") if text else data.astype(data.dtype.newbyteorder(">"))


def compound(file):
    frame = good_frame()
    kinds = [(name, "S6" if name == "class" else frame[name].dtype) for name in frame]
    file["photo"] = np.array([tuple(row) for row in frame.itertuples(index=False)], kinds)


def vaex(file):
    for name, values in good_frame().items():
        group = file.create_group(f"table/columns/{name}")
        if name == "class":
            words = values.tolist()
            group["data"] = np.frombuffer("".join(words).encode(), "u1")
            group["indices"] = np.cumsum([0, *map(len, words)])
        else:
            group["data"] = values.to_numpy()


def pandas_fixed(file):
    group = file.create_group("photo")
    frame = good_frame().drop(columns="class")
    kinds = sorted({str(kind) for kind in frame.dtypes})
    group.attrs.update({"pandas_type": np.bytes_("frame"), "nblocks": len(kinds)})
    group["axis1"] = np.arange(ROWS)
    for k, kind in enumerate(kinds):
        block = frame.select_dtypes(kind)
        group[f"block{k}_items"] = np.array(list(block), "S10")
        group[f"block{k}_values"] = block.to_numpy()


def pandas_table(file, names=None):
    """The names of a block's columns are a pickled list, as pandas has it."""
    frame = good_frame().drop(columns=["class"])
    group = file.create_group("photo")
    group.attrs["pandas_type"] = np.bytes_("frame_table")
    floats = list(frame.select_dtypes("float64"))
    others = [name for name in frame if name not in floats]
    kinds = [("index", "i8"), ("values_block_0", "f8", (len(floats),))]
    kinds += [(name, frame[name].dtype) for name in others] + [("values_block_1", "S6", (1,))]
    rows = np.zeros(ROWS, kinds)
    rows["values_block_0"] = frame[floats].to_numpy()
    rows["values_block_1"][:, 0] = np.array(good_frame()["class"].tolist(), "S6")
    for name in others:
        rows[name] = frame[name]
    group["table"] = rows
    pickled = b"(lp0\n" + b"".join(b"V%s\na" % name.encode() for name in names or floats) + b"."
    group["table"].attrs["values_block_0_kind"] = np.bytes_(pickled)
    group["table"].attrs["values_block_1_kind"] = np.bytes_(b"(lp0\nVclass\na.")


def soft_links(file):
    columns_in(file.create_group("real"))
    file["alias"] = h5py.SoftLink("/real")


def own_child(file):
    columns_in(file.create_group("objects"))
    file["objects/self"] = file["objects"]


def enumeration(file):
    columns_in(file, skip=("class",))
    words = {"GALAXY": 0, "QSO": 1, "STAR": 2}
    data = good_frame()["class"].map(words).to_numpy("i1")
    file.create_dataset("class", data=data, dtype=h5py.enum_dtype(words, basetype="i1"))


def other_floats(file):
    columns_in(file, skip=("u",))
    file["u"] = good_frame()["u"].to_numpy().astype("longdouble")


READ = [
    (columns_in, {}),
    (lambda file: columns_in(file.create_group("a/b")), {}),
    (big_endian, {}),
    (compound, {}),
    (compound, {"table": "photo"}),
    (compound, {"table": "/photo/"}),
    (vaex, {}),
    (vaex, {"table": "table/columns"}),
    (vaex, {"table": "table"}),
    (pandas_fixed, {"columns": NO_TEXT}),
    (pandas_fixed, {"columns": NO_TEXT, "table": "photo"}),
    (pandas_table, {}),
    (pandas_table, {"table": "photo"}),
    (pandas_table, {"table": "photo/table"}),
    (soft_links, {"table": "alias"}),
    (own_child, {}),
    (enumeration, {}),
    (other_floats, {}),
]


def made(make, folder):
    with h5py.File(folder / "a.h5", "w") as file:
        make(file)
    return folder / "a.h5"


@pytest.mark.parametrize(("make", "settings"), READ)
def test_every_layout_gives_the_same_catalogue(make, settings, tmp_path):
    expected = catalogue(write(good_frame(), tmp_path / "a.csv"))
    found = catalogue(made(make, tmp_path), **settings)
    assert content_digest(found) == content_digest(expected.select(found.column_names))


def test_nulls_of_vaex_and_pandas(tmp_path):
    def with_nulls(file):
        vaex(file)
        file["table/columns/u/mask"] = np.arange(ROWS) == 2
        file["table/columns/class/null_bitmap"] = np.packbits(np.arange(16) != 5, bitorder="little")

    found = catalogue(made(with_nulls, tmp_path))
    assert found["model_mag_u"].to_pylist().index(None) == 2
    assert found["spec_class"].to_pylist().index(None) == 5

    def missing_text(file):
        pandas_table(file)
        rows = file["photo/table"][...]
        rows["values_block_1"][7] = b"nan"
        file["photo/table"][...] = rows

    found = catalogue(made(missing_text, tmp_path))
    assert found["spec_class"].to_pylist().index(None) == 7


def test_objects_of_pandas_are_not_unpickled(tmp_path):
    def make(file):
        pandas_fixed(file)
        file["photo"].attrs["nblocks"] += 1
        k = file["photo"].attrs["nblocks"] - 1
        file[f"photo/block{k}_items"] = np.array(["class"], "S10")
        objects = file.create_dataset(f"photo/block{k}_values", (1,), h5py.vlen_dtype("u1"))
        objects[0] = np.frombuffer(b"cos\nsystem\n(S'true'\ntR.", "u1")

    path = made(make, tmp_path)
    with pytest.raises(CatalogueError, match=r"column 'class'.*to_parquet"):
        catalogue(path)
    assert catalogue(path, columns=NO_TEXT).num_rows == ROWS


def test_an_unknown_compression_is_named(tmp_path):
    path = made(columns_in, tmp_path)
    with h5py.File(path, "a") as file:
        del file["u"]
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((ROWS,))
        settings.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (0, 0, 0, 0, 5, 1, 0))
        space = h5py.h5s.create_simple((ROWS,))
        identity = h5py.h5d.create(file.id, b"u", h5py.h5t.NATIVE_DOUBLE, space, settings)
        h5py.Dataset(identity).id.write_direct_chunk((0,), np.zeros(ROWS).tobytes())
    with pytest.raises(CatalogueError, match="column 'u'.*compressed by blosc.*hdf5plugin"):
        catalogue(path)


def test_a_wrong_sum_of_a_chunk_is_noticed(tmp_path):
    values = np.linspace(18, 19, ROWS)

    def make(file):
        columns_in(file, skip=("u",))
        file.create_dataset("u", data=values, chunks=(ROWS,), fletcher32=True)

    path = made(make, tmp_path)
    catalogue(path)
    raw = bytearray(path.read_bytes())
    raw[raw.find(values[3:6].tobytes())] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CatalogueError, match="can't be read as HDF5"):
        catalogue(path)
