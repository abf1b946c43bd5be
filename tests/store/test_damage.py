"""Any changed, cut or lengthened file of a part is noticed, set aside and made anew."""

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
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "search"
    Parts(folder, KEY).write(NAME, TABLES, {"seconds": 1.25, "note": "abc"})
    return folder


@pytest.fixture
def parts(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "search")
    return Parts(tmp_path / "search", KEY)


def assert_set_aside_and_made_anew(parts, damaged, before):
    assert parts.verify() == {}
    assert parts.missing(100) == [(0, 99)]
    assert (parts.folder / "damaged" / damaged).read_bytes() == before
    receipt = parts.write(NAME, TABLES)
    assert parts.verify() == {NAME: receipt}
    pd.testing.assert_frame_equal(parts.read(NAME, "hits"), TABLES["hits"])


POSITIONS = ("first", "early", "middle", "late", "last")


def offset(size, position):
    return {
        "first": 0,
        "early": size // 7,
        "middle": size // 2,
        "late": size - size // 7,
        "last": size - 1,
    }[position]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("bit", [0, 5, 7])
@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit(parts, file, bit, position):
    path = parts.folder / file
    content = bytearray(path.read_bytes())
    content[offset(len(content), position)] ^= 1 << bit
    path.write_bytes(content)
    assert_set_aside_and_made_anew(parts, file, bytes(content))


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("file", FILES)
def test_a_cut_file(parts, file, position):
    path = parts.folder / file
    content = path.read_bytes()
    content = content[: offset(len(content), position)]
    path.write_bytes(content)
    assert_set_aside_and_made_anew(parts, file, content)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("extra", [b"\0", b"\n", b"x" * 5000])
def test_a_lengthened_file(parts, file, extra):
    path = parts.folder / file
    content = path.read_bytes() + extra
    path.write_bytes(content)
    assert_set_aside_and_made_anew(parts, file, content)


def test_every_single_flipped_bit_of_a_receipt_is_noticed(parts):
    path = parts.folder / FILES[2]
    original = path.read_bytes()
    for position in range(len(original)):
        content = bytearray(original)
        content[position] ^= 1 << (position % 8)
        path.write_bytes(content)
        assert parts.receipts() == {}, position


def test_every_single_flipped_byte_of_a_table_is_noticed_on_reading(parts):
    path = parts.folder / FILES[1]
    original = path.read_bytes()
    for position in range(0, len(original), 3):
        content = bytearray(original)
        content[position] ^= 1 << (position % 8)
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"damaged table 'searches'.*; run again"):
            parts.read(NAME, "searches")


@pytest.mark.parametrize("file", FILES[:2])
def test_a_lost_table(parts, file):
    (parts.folder / file).unlink()
    assert parts.verify() == {}
    assert parts.missing(100) == [(0, 99)]
    assert FILES[2] in parts.damaged_files


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_the_right_size_full_of_zeros(parts, file):
    path = parts.folder / file
    content = bytes(path.stat().st_size)
    path.write_bytes(content)
    assert_set_aside_and_made_anew(parts, file, content)


def test_a_receipt_copied_to_another_range_does_not_count(parts):
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


def test_a_forged_receipt_is_noticed(parts):
    path = parts.folder / FILES[2]
    found = json.loads(path.read_text())
    found["rows"]["hits"] = 99
    path.write_text(json.dumps(found, sort_keys=True, indent=2) + "\n")
    assert parts.verify() == {}


def test_writing_over_a_damaged_part_sets_it_aside_first(parts):
    (parts.folder / FILES[0]).write_bytes(b"damaged")
    receipt = parts.write(NAME, TABLES)
    assert parts.verify() == {NAME: receipt}
    assert (parts.folder / "damaged" / FILES[0]).read_bytes() == b"damaged"
