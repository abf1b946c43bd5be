"""Files that are not what their names say, and links to missing files, are named with a remedy."""

from __future__ import annotations

import zipfile

import pandas as pd
import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.cells import read_cells
from ketadask.sources.spreadsheets import read_table

BROKEN_LINK = r"a link to a missing file; fetch it \(datalad get\), or correct the link"


@pytest.mark.parametrize("ending", [".tsv", ".xlsx", ".parquet"])
def test_a_link_to_nothing_says_so(tmp_path, ending):
    path = tmp_path / f"scores{ending}"
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=BROKEN_LINK):
        read_table(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\n1\t2\n".encode("utf-16"), r"is UTF-16 text, not plain text; save it as UTF-8 text"),
        (b"\x1f\x8b\x08", "is compressed by gzip, not plain text"),
        (b"PK\x03\x04", "is a workbook or a zip archive by another name, not plain text"),
        (b"\xd0\xcf\x11\xe0\n", "is an old .xls workbook, or one with a password, not plain text"),
    ],
)
def test_what_is_no_text_is_told_by_its_first_bytes(tmp_path, content, message):
    path = tmp_path / "scores.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"scores.tsv: {message}"):
        read_cells(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", r"\(its first bytes are not those of a workbook\); open it"),
        (
            bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600),
            r"\(is an old .xls workbook, or one with a",
        ),
        (b"PK\x03\x04" + bytes(range(60)), r"\(damaged: BadZipFile\); open it in the spreadsheet"),
    ],
)
def test_what_is_no_workbook_is_told_by_its_first_bytes(tmp_path, content, message):
    path = tmp_path / "scores.xlsx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_table(path)


def test_merged_headers_of_a_workbook_are_told_to_be_split(tmp_path):
    import openpyxl

    path = tmp_path / "scores.xlsx"
    pd.DataFrame({"id": ["a"], "one": [1], "two": [2]}).to_excel(path, index=False)
    book = openpyxl.load_workbook(path)
    book.active.merge_cells("A1:B1")
    book.save(path)
    with pytest.raises(InputError, match=r"row 1: column 2 has no name; name it; of merged cells"):
        read_table(path)


def test_a_comma_table_says_how_its_delimiter_is_named(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("a;b\n1,5;2\n")
    with pytest.raises(InputError, match=r"separated by semicolon; .* name its delimiter where it"):
        read_table(path)


def test_a_small_workbook_with_gigabytes_of_cells_is_refused(tmp_path):
    path = tmp_path / "table.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 150_000_000)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(InputError, match=r"too large to read, found '150 MB .*CSV"):
        read_table(path)
