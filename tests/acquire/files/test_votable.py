"""VOTables of people's own: cut by a server, leading elsewhere, with names twice, with nulls."""

import pytest
from astropy.io.votable import from_table
from astropy.table import Table

from sdssflow.acquire.errors import CatalogueError
from tests.acquire.files.good_table import ROWS, catalogue, good_columns, good_frame, write

STATUS = '<INFO name="QUERY_STATUS" value="{}">{}</INFO>'
FINE = [
    '<INFO name="QUERY_STATUS" value="OK"/>',
    '<INFO name="Warning" value="No center provided"/>',
    '<INFO name="matches" value="50"/>',
    '<INFO name="errors" value="0"/>',
]
CUT = {
    STATUS.format("OVERFLOW", ""): "OVERFLOW",
    STATUS.format("OVERFLOW", "limited to 12 rows"): "OVERFLOW limited to 12 rows",
    STATUS.format("ERROR", "no such <![CDATA[column]]>"): "ERROR no such column",
    '<INFO name="query_status" value="overflow"/>': "overflow",
    '<INFO ID="Error" name="Error" value="Error in RA"/>': "Error in RA",
    '<INFO name="Warning" value="truncated result (maxtup=50)"/>': "truncated result",
}
PLACES = {
    "before the resource": ("<RESOURCE", "{}<RESOURCE"),
    "before the table": ("<TABLE", "{}<TABLE"),
    "after the table": ("</RESOURCE>", "{}</RESOURCE>"),
    "after an OK": ("</RESOURCE>", FINE[0] + "{}</RESOURCE>"),
}


@pytest.fixture
def edited(tmp_path):
    path = write(good_frame(), tmp_path / "a.vot")
    text = path.read_text()

    def edit(old, new):
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return path

    return edit


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("info", CUT)
def test_a_table_that_the_server_cut_is_refused_with_its_words(info, place, edited):
    old, new = PLACES[place]
    with pytest.raises(CatalogueError) as error:
        catalogue(edited(old, new.format(info)))
    assert f"the server says that the table is incomplete: {CUT[info]}" in str(error.value)


@pytest.mark.parametrize("info", FINE)
def test_other_words_of_a_server_are_no_trouble(info, edited):
    catalogue(edited("<TABLE", info + "<TABLE"))


ELSEWHERE = "</TABLE></RESOURCE></VOTABLE>"
REFUSED = {
    '<DATA><BINARY><STREAM href="http://127.0.0.1:9/x"/></BINARY></DATA>': "127.0.0.1:9/x', and",
    '<DATA><FITS extnum="1"><STREAM href="file:///etc/passwd"/></FITS></DATA>': "/etc/passwd",
    '<DATA><PARQUET type="VOTable-remote-file"><STREAM href="file:a.parquet"/></PARQUET></DATA>':
        "a.parquet",
}  # fmt: skip


@pytest.mark.parametrize("data", REFUSED)
def test_data_in_another_place_are_not_fetched(data, edited):
    path = edited("<DATA>", "<DATA>")
    head = path.read_text().partition("<DATA>")[0]
    path.write_text(head + data + ELSEWHERE)
    with pytest.raises(CatalogueError, match="are outside the file") as error:
        catalogue(path)
    assert REFUSED[data] in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("<VOTABLE", '<!DOCTYPE V [<!ENTITY a "aa">]><VOTABLE', "declares an entity"),
        ("<VOTABLE", '<!DOCTYPE V [<!ENTITY a SYSTEM "file:///etc/passwd">]><VOTABLE', "an entity"),
        ("<TABLE", '<TABLE nrows="1000000000000"', "at most 100 times its size"),
        ("<TABLE", '<TABLE nrows="13"', "states 13 rows, but has 12"),
        ('name="u"', 'name="u" arraysize="100000000000"', "at most 100 times its size"),
        ('arraysize="19"', 'arraysize="10"', "too long for specified length of 10"),
        ('name="dec"', 'name="ra"', "names 'ra' 2 times"),
        ("<TD>19.53807<", "<TD>19,53807<", "row 2: value 8 does not fit its FIELD: Invalid"),
        ("<TD>363<", "<TD>-<", "row 1: value 5 does not fit its FIELD: invalid"),
        ("<TD>1237645941824356403<", "<TD>12376459418243564030<", "row 1: value 1 does not fit"),
    ],
)
def test_what_is_not_as_it_says_is_refused(old, new, words, edited):
    columns = {name: to for name, to in good_columns().items() if name not in ("dec", "plate")}
    columns["dec"] = "plate" if "'ra'" in words else "dec"
    with pytest.raises(CatalogueError) as error:
        catalogue(edited(old, new), columns=columns)
    assert words in str(error.value)


@pytest.mark.parametrize("old_new", [("<TABLE", '<TABLE nrows="12"'), ("<VOTABLE",
    '<!DOCTYPE VOTABLE SYSTEM "http://us-vo.org/xml/VOTable.dtd"><VOTABLE')])  # fmt: skip
def test_a_true_number_of_rows_and_a_doctype_are_taken(old_new, edited):
    assert catalogue(edited(*old_new)).num_rows == ROWS


@pytest.mark.parametrize("column", ["plate", "u", "class"])
def test_the_null_of_a_field_is_honoured(column, edited):
    good = good_frame()
    null = good[column].iloc[2]
    path = edited("<TABLE", "<TABLE")
    text = path.read_text()
    begin = text.index("<FIELD", text.index(f'ID="{column}"') - 8)
    end = text.index("/>", begin)
    field = f'{text[begin:end]}><VALUES null="{null}"/></FIELD>'
    path.write_text(text[:begin] + field + text[end + 2 :])
    name = {"plate": "plate", "u": "model_mag_u", "class": "spec_class"}[column]
    nulls = [value is None for value in catalogue(path)[name].to_pylist()]
    assert nulls == (good[column] == null).tolist()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (None, "the file holds 2 tables. Set source.table to one of: photo, spectra."),
        (1, "Another table of the file has it: set source.table to photo."),
        ("spectra", "Another table of the file has it: set source.table to photo."),
        (2, "no table 2. Set source.table to one of: 0 photo, 1 spectra"),
        (-1, "no table -1"),
        (0, ""),
        ("0", ""),
        ("photo", ""),
        ("first", ""),
    ],
)
def test_one_of_several_tables(table, words, tmp_path):
    good = Table.from_pandas(good_frame().assign(specObjID="9"))
    good["specObjID"] = good_frame()["specObjID"].astype(str)
    file = from_table(good)
    other = from_table(Table({"z": [0.1]})).resources[0]
    file.resources[0].tables[0].name, other.tables[0].name = "photo", "spectra"
    file.resources[0].tables[0].ID = "first"
    file.resources.append(other)
    file.to_xml(str(tmp_path / "a.vot"))
    if words:
        with pytest.raises(CatalogueError) as error:
            catalogue(tmp_path / "a.vot", table=table)
        assert words in str(error.value)
    else:
        assert catalogue(tmp_path / "a.vot", table=table).num_rows == ROWS


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.4"])
@pytest.mark.parametrize("old", ["<TD>1481<", "<TD>19.53189<"])
def test_empty_cells_are_null_in_every_version(version, old, edited):
    path = edited(old, "<TD><")
    path.write_text(path.read_text().replace('version="1.4"', f'version="{version}"'))
    name = "plate" if "1481" in old else "model_mag_u"
    assert [value is None for value in catalogue(path)[name].to_pylist()[:2]] == [True, False]


@pytest.mark.parametrize("word", ["null", "-", " N/A "])
def test_words_for_no_number_are_null(word, edited):
    assert catalogue(edited("19.53189", word))["model_mag_u"].null_count == 1
