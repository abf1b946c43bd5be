"""Broken files are named with file, row, column, value and remedy; good ones lose nothing."""

import re

import numpy as np
import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.cells import read_cells, read_sidecar
from ketadask.sources.codes import is_missing, levels_range, parse_number
from ketadask.sources.data_issues import DataIssues

BROKEN = {
    "empty": (b"", "the file is empty"),
    "only blanks": (b" \n\n", "the file is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "the file is empty"),
    "header only": (b"a\tb\n", "a header but no rows"),
    "latin-1": ("a\tb\n1\tM\xfcller\n".encode("latin-1"), r"row 2: not UTF-8, found b'\\xfc'"),
    "NUL bytes": (b"a\tb\n1\t2\n\0\0\t\0\n", "row 3: holds NUL bytes"),
    "UTF-16": ("a\tb\n1\t2\n".encode("utf-16"), "is UTF-16 text"),
    "commas": (b"a,b\n1,2\n", "seem separated by comma; save it with tab"),
    "semicolons": (b"a;b\n1;2\n", "seem separated by semicolon"),
    "short row": (b"a\tb\tc\n1\t2\t3\n1\t2\n", "row 3: has 2 cells where the header has 3"),
    "long row": (b"a\tb\n1\t2\t3\n", "row 2: has 3 cells where the header has 2"),
    "column twice": (b"a\tb\ta\n1\t2\t3\n", "header: column name appears twice, found 'a'"),
    "column without a name": (b"a\t\tb\n1\t2\t3\n", "column 2 has no name"),
    "open quote": (b'a\tb\n1\t"2\n1\t2\n', "row 2: quotation marks do not pair up"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(tmp_path, name):
    content, message = BROKEN[name]
    path = tmp_path / "scale.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_cells(path)
    assert str(error.value).startswith(str(path))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.tsv: no such file; check the path"):
        read_cells(tmp_path / "nowhere.tsv")
    (tmp_path / "people.csv").write_text("a,b\n")
    (tmp_path / "people.json").write_text("{}")
    with pytest.raises(
        InputError,
        match=r"there is people\.csv: .* or save it as tab-separated text named people\.tsv$",
    ):
        read_cells(tmp_path / "people.tsv")
    with pytest.raises(InputError, match=r"there is no folder .*gone; check the path"):
        read_cells(tmp_path / "gone" / "people.tsv")
    with pytest.raises(InputError, match="is a folder, not a file"):
        read_cells(tmp_path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_blank_lines_and_quotes_change_nothing(tmp_path, end):
    path = tmp_path / "scale.tsv"
    lines = ["\ufeffa\tb", '1\t"x y"', "", "\t", "3\tz"]
    path.write_bytes(end.join(lines).encode())
    cells = read_cells(path)
    assert dict(cells.columns) == {"a": ["1", "3"], "b": ["x y", "z"]}
    assert cells.lines == [2, 5]


@pytest.mark.parametrize("cell", ["", "n/a", "NA", "-9", "999", "-999", "-777", "-999.0"])
def test_missing_codes(tmp_path, cell):
    path = tmp_path / "scale.tsv"
    path.write_text(f"who\tscore\na\t4\nb\t{cell}\n")
    values = read_cells(path).numbers("score", DataIssues())
    np.testing.assert_array_equal(values, [4.0, np.nan])
    assert is_missing(cell)


@pytest.mark.parametrize("cell", ["x", "1_0", "inf", "1e999", "--1", "0x1", "1 2", "١"])
def test_a_cell_that_is_no_number_is_named(tmp_path, cell):
    path = tmp_path / "scale.tsv"
    path.write_text(f"who\tscore\na\t4\nb\t{cell}\n", encoding="utf-8")
    message = f"row 3, column score: not a number, found {cell!r}; write a number, or n/a"
    with pytest.raises(InputError, match=re.escape(message)):
        read_cells(path).numbers("score", DataIssues())
    assert parse_number(cell) is None


def test_decimal_commas_get_their_own_remedy(tmp_path):
    path = tmp_path / "scale.tsv"
    path.write_text("who\tscore\na\t4,5\n")
    with pytest.raises(InputError, match="found '4,5'; write decimals with a point"):
        read_cells(path).numbers("score", DataIssues())


def test_wrong_cells_can_be_kept_as_findings(tmp_path):
    path = tmp_path / "scale.tsv"
    path.write_text("who\tscore\na\t7\nb\tx\nc\t7\nd\t3\n")
    findings = DataIssues("missing")
    values = read_cells(path).numbers("score", findings, low=0, high=6)
    np.testing.assert_array_equal(values, [np.nan, np.nan, np.nan, 3.0])
    assert [(f["where"], f["value"]) for f in findings.records()] == [
        ("row 2, column score", "7"),
        ("row 3, column score", "x"),
        ("row 4, column score", "7"),
    ]
    with pytest.raises(InputError, match=r"bad_cells: unknown treatment .* did you mean 'missing'"):
        DataIssues("missin")


def test_a_missing_column_suggests_the_nearest(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text("particpant_id\tage\na\t1\n")
    with pytest.raises(InputError, match="no column 'participant_id'; did you mean 'particp"):
        read_cells(path).need("participant_id")


def test_sidecars(tmp_path):
    path = tmp_path / "bdi.json"
    assert read_sidecar(path) == {}
    path.write_text('{"bdi_1": {"Levels": {"0": "no", "3": "yes", "-999": "missing"}}, "v": 1}')
    sidecar = read_sidecar(path)
    assert list(sidecar) == ["bdi_1"]
    assert levels_range(sidecar["bdi_1"]) == (0.0, 3.0)
    assert levels_range({}) == (-np.inf, np.inf)
    path.write_text('{"bdi_1":\n oops}')
    with pytest.raises(InputError, match=r"bdi\.json: row 2: not valid JSON"):
        read_sidecar(path)
    path.write_text("[1]")
    with pytest.raises(InputError, match="must hold one JSON object"):
        read_sidecar(path)
