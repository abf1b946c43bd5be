"""Any change of a file of a part is detected; the part is set aside and can be written again."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from ketadask.schema.errors import InputError
from ketadask.store.parts import Parts

KEY, NAME = "c" * 64, "000000-000099"
FILES = (f"{NAME}.hits.parquet", f"{NAME}.searches.parquet", f"{NAME}.json")
TABLES = {
    "hits": pd.DataFrame({"q": np.random.default_rng(1).normal(size=100)}),
    "searches": pd.DataFrame({"split": np.arange(100)}),
}


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intact") / "search"
    Parts(folder, KEY).write(NAME, TABLES, {"seconds": 1.25, "note": "abc"})
    return folder


@pytest.fixture
def parts(intact, tmp_path):
    shutil.copytree(intact, tmp_path / "search")
    return Parts(tmp_path / "search", KEY)


def assert_repair(parts, name, content):
    assert parts.verify() == {}
    assert parts.missing(100) == [(0, 99)]
    assert (parts.folder / "damaged" / name).read_bytes() == content
    receipt = parts.write(NAME, TABLES)
    assert parts.verify() == {NAME: receipt}
    pd.testing.assert_frame_equal(parts.read(NAME, "hits"), TABLES["hits"])


def flip(content, position, bit):
    return content[:position] + bytes([content[position] ^ 1 << bit]) + content[position + 1 :]


def at(content, fraction):
    return min(int(len(content) * fraction), len(content) - 1)


FRACTIONS = (0, 0.15, 0.5, 0.85, 1)
CHANGES = {
    **{
        f"bit-{bit}-at-{f}": lambda content, bit=bit, f=f: flip(content, at(content, f), bit)
        for bit in (0, 5, 7)
        for f in FRACTIONS
    },
    **{f"cut-at-{f}": lambda content, f=f: content[: at(content, f)] for f in FRACTIONS},
    **{
        f"with-{name}": lambda content, extra=extra: content + extra
        for name, extra in {"zero": b"\0", "line": b"\n", "text": b"x" * 5000}.items()
    },
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file(parts, file, change):
    path = parts.folder / file
    content = change(path.read_bytes())
    path.write_bytes(content)
    assert_repair(parts, file, content)


def test_every_flipped_byte_of_a_receipt_raises_an_error(parts):
    path = parts.folder / FILES[2]
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(flip(content, position, position % 8))
        assert parts.receipts() == {}, position


def test_every_flipped_byte_of_a_table_raises_an_error_on_reading(parts):
    path = parts.folder / FILES[1]
    content = path.read_bytes()
    for position in range(0, len(content), 3):
        path.write_bytes(flip(content, position, position % 8))
        with pytest.raises(InputError, match=r"damaged table 'searches'.*; run again"):
            parts.read(NAME, "searches")


@pytest.mark.parametrize("file", FILES[:2])
def test_a_missing_table(parts, file):
    (parts.folder / file).unlink()
    assert parts.verify() == {}
    assert parts.missing(100) == [(0, 99)]
    assert FILES[2] in parts.damaged_files


def test_a_copy_of_a_receipt_does_not_count(parts):
    shutil.copy(parts.folder / FILES[2], parts.folder / "000100-000199.json")
    assert list(parts.verify()) == [NAME]
    assert parts.damaged_files == ["000100-000199.json"]


@pytest.mark.parametrize(
    "content", ["[]", "{}", "null", '{"checksum": 1}', '{"a": 1, "checksum": 2}']
)
def test_a_receipt_that_is_other_json(parts, content):
    (parts.folder / FILES[2]).write_text(content)
    assert parts.verify() == {}
    assert FILES[2] in parts.damaged_files


def test_a_receipt_with_other_rows(parts):
    path = parts.folder / FILES[2]
    receipt = json.loads(path.read_text())
    receipt["rows"]["hits"] = 99
    path.write_text(json.dumps(receipt, sort_keys=True, indent=2) + "\n")
    assert parts.verify() == {}


def test_writing_over_a_damaged_part_sets_it_aside_first(parts):
    (parts.folder / FILES[0]).write_bytes(b"damaged")
    receipt = parts.write(NAME, TABLES)
    assert parts.verify() == {NAME: receipt}
    assert (parts.folder / "damaged" / FILES[0]).read_bytes() == b"damaged"
