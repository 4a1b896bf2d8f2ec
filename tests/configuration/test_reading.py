import pytest

from sdssflow.configuration.reading import (
    ConfigurationError,
    overlaid,
    parse,
    read_document,
)


@pytest.mark.parametrize(
    ("text", "place", "lines"),
    [
        ("a: 1\na: 2\n", "a", "lines 1 and 2"),
        ("cuts:\n  - {cut: x}\ncuts:\n  - {cut: y}\n", "cuts", "lines 1 and 3"),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", "a.b", "lines 2 and 4"),
        ("a: {b: 1, b: 1}\n", "a.b", "line 1"),
        ("a:\n - c: 1\n - c: 1\n   d: 1\n   c: 2\n", "a.1.c", "lines 3 and 5"),
        ("a: 1\n'a': 1\n", "a", "lines 1 and 2"),
        ('a: 1\n"\\x61": 1\n', "a", "lines 1 and 2"),
        ("1: a\n'1': b\n", "1", "lines 1 and 2"),
        ("a: 1\r\nb: 1\r\na: 2\r\n", "a", "lines 1 and 3"),
        ("a: 1\rb: 1\ra: 2\r", "a", "lines 1 and 3"),
        ("x: &x {d: 1, d: 2}\ny: *x\n", "x.d", "line 1"),
        ("a: &a {}\nb:\n  <<: *a\n  <<: *a\n", "b.<<", "lines 3 and 4"),
        ('{"a": 1,\n "a": 2}', "a", "lines 1 and 2"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(text, place, lines):
    with pytest.raises(ConfigurationError, match=f"{place} is given twice, in {lines};"):
        parse(text, "x.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("NO", "NO"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("010", "010"), ("0x1F", "0x1F"), ("0o17", "0o17"), ("0b1", "0b1"), ("007.5", "007.5"),
        ("1_000", "1_000"), ("1:30", "1:30"), ("2026-11-23", "2026-11-23"), ("=", "="),
        ("1e-3", 0.001), ("1E5", 1e5), ("1.", 1.0), (".5", 0.5), ("-0", 0), ("+3", 3),
        ("18446744073709551615", 2**64 - 1), ("true", True), ("False", False),
        ("~", None), ("null", None), ("", None), ("'true'", "true"), ("'17'", "17"),
        ("!!str 17", "17"), ("None", "None"), ("NaN", "NaN"),
    ],
)  # fmt: skip
def test_a_plain_word_is_what_it_looks_like(text, value):
    found = parse(f"a: {text}", "x.yaml").content["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text_as_they_stand():
    labels = parse("{0: a, 010: b, NO: c, on: d, 1.5: e, 2026-01-01: f}", "x.yaml").content
    assert list(labels) == ["0", "010", "NO", "on", "1.5", "2026-01-01"]


def test_anchors_and_merge_keys_work():
    content = parse("a: &a {b: 1, c: 2}\nd: {<<: *a, c: 3}\ne: *a\n", "x.yaml").content
    assert content == {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}, "e": {"b": 1, "c": 2}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"title: caf\xe9\n", r"x.yaml, line 1: byte 11 .* 0xe9, is not UTF-8 .*'é'.* as UTF-8"),
        (b"a: 1\nb: \x80\n", "line 2: byte 9 of the file"),
        ("a: 1".encode("utf-16"), "UTF-16; save the file as UTF-8"),
        (b"", "expected a mapping of keys, the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"- 1\n", "expected a mapping of keys, found a sequence"),
        (b"word\n", "expected a mapping of keys, found a scalar"),
        (b"a: 1\n---\nb: 1\n", "line 2: .*a second document begins"),
        (b"a:\n\tb: 1\n", "line 2: not valid YAML: a tab; indent with spaces"),
        (b"a: b: c\n", "line 1: .*put text with a colon in quotes"),
        (b"a: @x\n", "line 1: .*text that begins with '@' has to be in quotes"),
        (b"a: [1\n", "line 2: not valid YAML"),
        (b"a: *nobody\n", "line 1: .*undefined alias"),
        (b"a: &a [*a]\n", "an anchor contains itself"),
        (b"? [a]\n: b\n", "line 1: a key has to be a word"),
        (b"'': b\n", "line 1: the key before the colon is missing"),
        (b"a: !!python/object/apply:os.getcwd []\n", "line 1: the tag .* has no meaning here"),
        (b"a: !!int x\n", "a tag .* does not match its value"),
        (b"a: !!set {x}\n", "the tag"),
        (b"a: 123456789012345678901234567890\n", "line 1: the number .* is too large"),
        (b"a: " + b"9" * 5000 + b"\n", "too large"),
        (b"a: " + b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b'a: "\x00"\n', "control characters are not allowed"),
        (b"a" * 10_000_001, "too large for a configuration file"),
    ],
)
def test_what_is_no_configuration_is_refused_in_one_line(tmp_path, data, message):
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=message) as error:
        read_document(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_document(tmp_path / "x.yaml").content == {"a": 1}


def test_what_can_not_be_read_says_why(tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "link.yaml").symlink_to("nowhere")
    for name, reason in (
        ("folder.yaml", "Is a directory"),
        ("link.yaml", "a link to nowhere, which is missing"),
        ("none.yaml", "No such file"),
    ):
        with pytest.raises(ConfigurationError, match=f"{name}: can't be read: {reason}"):
            read_document(tmp_path / name)


def test_a_place_is_found_with_its_line():
    document = parse("a: 1\nb:\n  c: [1,\n   2]\n  e: &x {k: 1}\nf: {<<: *x}\n", "x")
    for location, line in (
        (("a",), 1),
        (("b", "c", 1), 4),
        (("f", "k"), 5),
        (("b", "unknown"), 2),
    ):
        assert document.where(location) == f"x, line {line}"
    assert document.where(("unknown",)) == "x"
    assert document.has(("b", "c", 1))
    assert not document.has(("b", "c", 2))


def test_sections_merge_and_lists_replace():
    layers = [parse("a: {b: 1, c: [1, 2]}\nd: 1", "x"), parse("a: {c: [3]}\nd: {e: 1}", "y")]
    assert overlaid(layers) == {"a": {"b": 1, "c": [3]}, "d": {"e": 1}}
