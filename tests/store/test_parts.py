"""Parts: complete or absent, counted once; damaged ones are set aside, never deleted."""

from __future__ import annotations

import os
import pickle
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from dask.base import tokenize

from ketadask.schema.errors import InputError
from ketadask.store import parts as parts_module
from ketadask.store.parts import Parts, Receipt
from ketadask.store.ranges import range_name

KEY, OTHER = "a" * 64, "b" * 64


def tables(first=0, last=9):
    split = np.arange(first, last + 1)
    return {
        "hits": pd.DataFrame(
            {"split": split, "q": np.sqrt(split), "text": [f"x>{i}" for i in split]}
        ),
        "searches": pd.DataFrame({"split": split, "proven": split % 2 == 0}),
    }


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path / "search", KEY)


def write(parts, first, last):
    return parts.write(range_name(first, last), tables(first, last), {"seconds": 0.5})


def everything(folder):
    return sorted(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_reading_returns_the_tables(parts):
    receipt = write(parts, 0, 9)
    assert receipt.rows == {"hits": 10, "searches": 10}
    assert receipt.facts == {"seconds": 0.5}
    assert parts.verify() == parts.receipts() == {"000000-000009": receipt}
    for table, frame in tables().items():
        pd.testing.assert_frame_equal(parts.read("000000-000009", table), frame)
        assert (
            receipt.bytes[table] == (parts.folder / f"000000-000009.{table}.parquet").stat().st_size
        )
    assert parts.damaged_files == []


def test_an_empty_folder_has_no_parts(parts):
    assert parts.verify() == {}
    assert parts.ranges() == []
    assert parts.missing(5) == [(0, 4)]
    assert parts.read_all("hits").empty


def test_equal_tables_have_equal_bytes(tmp_path):
    one, two = (Parts(tmp_path / name, KEY) for name in ("one", "two"))
    assert write(one, 0, 9) == write(two, 0, 9)
    assert everything(one.folder) == everything(two.folder)


def test_a_complete_part_does_not_change(parts):
    first = write(parts, 0, 9)
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in parts.folder.iterdir()}
    others = {name: frame.iloc[:3] for name, frame in tables().items()}
    assert parts.write("000000-000009", others, {"seconds": 99}) == first
    after = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in parts.folder.iterdir()}
    assert after == before


def test_parts_and_receipts_travel(parts):
    receipt = write(parts, 0, 9)
    assert pickle.loads(pickle.dumps(parts)) == parts
    assert pickle.loads(pickle.dumps(receipt)) == receipt
    assert tokenize(parts, ensure_deterministic=True) == tokenize(
        Parts(parts.folder, KEY), ensure_deterministic=True
    )


def test_ranges_and_gaps(parts):
    write(parts, 0, 9)
    write(parts, 20, 24)
    parts.write("cohort", {"cases": pd.DataFrame({"case": [1]})})
    assert parts.ranges() == [(0, 9), (20, 24)]
    assert parts.missing(30) == [(10, 19), (25, 29)]
    assert parts.missing(10) == []


def test_overlapping_parts_count_once(parts):
    for first, last in ((0, 9), (5, 30), (0, 4), (25, 40)):
        write(parts, first, last)
    assert parts.ranges() == [(0, 4), (5, 30)]
    assert parts.missing(41) == [(31, 40)]
    assert parts.read_all("hits")["split"].tolist() == list(range(31))
    write(parts, 31, 40)
    assert parts.read_all("hits")["split"].tolist() == list(range(41))


def test_parts_of_another_key_do_not_count_and_remain(parts):
    theirs = Parts(parts.folder, OTHER)
    receipt = write(theirs, 0, 9)
    assert parts.verify() == {}
    assert parts.missing(10) == [(0, 9)]
    assert theirs.verify() == {"000000-000009": receipt}
    with pytest.raises(InputError, match="no valid receipt"):
        parts.read("000000-000009", "hits")
    contents = everything(parts.folder)
    ours = write(parts, 0, 9)
    assert parts.verify() == {"000000-000009": ours}
    assert all(content in everything(parts.folder / "other-key") for content in contents)
    assert parts.damaged_files == []


def test_an_incomplete_part_is_set_aside(parts):
    write(parts, 0, 9)
    write(parts, 10, 19)
    (parts.folder / "000010-000019.json").unlink()
    assert list(parts.verify()) == ["000000-000009"]
    assert parts.damaged_files == ["000010-000019.hits.parquet", "000010-000019.searches.parquet"]
    assert parts.missing(20) == [(10, 19)]


def test_temporary_files_of_dead_writers_are_set_aside_and_of_living_ones_are_not(parts):
    write(parts, 0, 9)
    dead = parts.folder / f".x.json.{socket.gethostname()}-{2**22 + 1}-00000000.tmp"
    foreign = parts.folder / ".x.json.far.away-1-00000000.tmp"
    living = parts.folder / f".x.json.{socket.gethostname()}-{os.getpid()}-00000000.tmp"
    recent = parts.folder / ".y.json.far.away-1-00000000.tmp"
    for file in (dead, foreign, living, recent):
        file.write_bytes(b"half")
    os.utime(foreign, (time.time() - 7200,) * 2)
    parts.verify()
    assert living.exists()
    assert recent.exists()
    assert sorted(parts.damaged_files) == sorted([dead.name, foreign.name])


def test_a_part_that_another_machine_finishes_meanwhile_is_left_alone(parts, monkeypatch):
    """The tasks of a job array write while a run counts complete parts."""
    write(parts, 0, 9)
    receipt, table = "000010-000019.json", "000010-000019.hits.parquet"
    complete = write(parts, 10, 19)
    temporary = parts.folder / f".{receipt}.far.away-1-00000000.tmp"
    (parts.folder / receipt).rename(temporary)
    assert list(parts.verify()) == ["000000-000009"]
    assert (parts.folder / table).exists()
    hash_file = parts_module.file_hash

    def slow_hash(path):
        if temporary.exists():
            temporary.rename(parts.folder / receipt)
        return hash_file(path)

    monkeypatch.setattr(parts_module, "file_hash", slow_hash)
    assert list(parts.verify()) == ["000000-000009"]
    assert parts.verify()["000010-000019"] == complete
    assert parts.damaged_files == []


def test_status_moves_nothing(parts):
    write(parts, 0, 9)
    write(parts, 10, 19)
    (parts.folder / "000000-000009.hits.parquet").write_bytes(b"damaged")
    (parts.folder / "000010-000019.json").unlink()
    before = sorted(parts.folder.rglob("*"))
    assert list(parts.receipts()) == ["000000-000009"]
    assert sorted(parts.folder.rglob("*")) == before


def test_the_same_part_damaged_twice_keeps_both(parts):
    for content in (b"one", b"two"):
        write(parts, 0, 9)
        (parts.folder / "000000-000009.hits.parquet").write_bytes(content)
        assert parts.verify() == {}
    contents = everything(parts.folder / "damaged")
    assert {b"one", b"two"} <= set(contents)
    assert len(contents) == 6


def test_many_writers_of_one_part_leave_one_part(parts):
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: write(parts, 0, 9), range(16)))
    assert all(receipt == receipts[0] for receipt in receipts)
    assert parts.verify() == {"000000-000009": receipts[0]}
    assert parts.damaged_files == []
    assert len(list(parts.folder.iterdir())) == 3


def test_an_error_names_a_missing_table(parts):
    write(parts, 0, 9)
    with pytest.raises(KeyError, match=r"no table 'nulls', only \['hits', 'searches'\]"):
        parts.read("000000-000009", "nulls")


@pytest.mark.parametrize("name", ["../x", ".x", "a/b", "", "a b"])
def test_names_stay_in_the_folder(parts, name):
    with pytest.raises(ValueError, match="a part's name"):
        parts.write(name, tables())


def test_table_names_are_plain(parts):
    with pytest.raises(ValueError, match="a table's name"):
        parts.write("x", {"a.b": pd.DataFrame()})


def test_facts_are_plain(parts):
    receipt = parts.write("x", {}, {"n": np.int64(3), "p": float("nan"), "at": (1, 2)})
    assert receipt.facts == {"n": 3, "p": None, "at": [1, 2]}
    assert parts.verify()["x"] == receipt
    assert isinstance(receipt, Receipt)


def test_an_error_names_a_file_instead_of_the_folder(tmp_path):
    (tmp_path / "search").write_text("")
    with pytest.raises(InputError, match="a file has the name of a folder"):
        write(Parts(tmp_path / "search", KEY), 0, 9)
