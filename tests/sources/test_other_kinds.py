"""Files that are not what their names say, links to nothing, joined tables: named with a remedy."""

from __future__ import annotations

import pandas as pd
import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.cells import read_cells
from ketadask.sources.freesurfer import open_volumes
from ketadask.sources.spreadsheets import read_table

ROWS = "Measure:volume\tLeft-Amygdala\tCSF\nsub-1\t1500.5\t900\nsub-2\t1400.5\t800\n"
GONE = r"a link to a missing file; fetch it \(datalad get\), or correct the link"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ROWS + ROWS, r"row 4: the header is repeated, found 'Measure:volume'; remove this line"),
        (ROWS.replace("sub-2", "NaN"), r"row 3, .*: no participant, found 'NaN'; name the partic"),
        (ROWS.replace("\nsub-1", "\n"), r"row 2, .*: no participant, found ''; name the partici"),
        (ROWS.encode("utf-16"), "holds neither tables"),
    ],
)
def test_a_volume_table_that_names_nobody_or_itself_is_refused(tmp_path, content, message):
    path = tmp_path / "aseg.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        open_volumes(tmp_path).compute(scheduler="synchronous")


def test_nothing_of_freesurfer_is_lost_behind_a_link_or_a_folder(tmp_path):
    (tmp_path / "aseg.tsv").write_text(ROWS)
    link = tmp_path / "lh.aparc.volume.tsv"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=rf"lh.aparc.volume.tsv: {GONE}"):
        open_volumes(tmp_path)
    link.unlink()
    link.mkdir()
    with pytest.raises(InputError, match=r"lh.aparc.volume.tsv: is a folder, not a table; move"):
        open_volumes(tmp_path)
    stats = tmp_path / "subjects" / "sub-1" / "stats"
    stats.mkdir(parents=True)
    (stats / "aseg.stats").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=rf"sub-1/stats/aseg.stats: {GONE}"):
        open_volumes(tmp_path / "subjects").compute(scheduler="synchronous")


@pytest.mark.parametrize("ending", [".tsv", ".xlsx", ".parquet"])
def test_a_link_to_nothing_says_so(tmp_path, ending):
    path = tmp_path / f"scores{ending}"
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=GONE):
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
