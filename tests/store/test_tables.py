"""Tables: equal columns have equal bytes, and bytes give the columns back."""

from __future__ import annotations

import csv
import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ketadask.schema import tables as contracts
from ketadask.store.tables import csv_text, table_bytes, table_from_bytes

COLUMNS = {
    "f": hnp.arrays("f8", 5),
    "g": hnp.arrays("f4", 5),
    "i": hnp.arrays("i8", 5),
    "j": hnp.arrays("i1", 5),
    "b": hnp.arrays("?", 5),
    "t": st.lists(st.text(), min_size=5, max_size=5),
}
TABLES = st.fixed_dictionaries(COLUMNS).map(pd.DataFrame)


@given(TABLES)
def test_bytes_give_the_table_back(table):
    pd.testing.assert_frame_equal(table_from_bytes(table_bytes(table)), table)


@given(TABLES)
def test_only_the_columns_count(table):
    expected = table_bytes(table)
    other = table.set_index(np.array([9, 7, 5, 3, 1]))
    other.attrs["note"] = "not stored"
    assert table_bytes(other) == expected
    assert table_bytes(pd.concat([table.iloc[:2], table.iloc[2:]])) == expected
    assert table_bytes(table.astype({"t": object})) == expected
    assert table_bytes(table.rename(columns={"f": "F"})) != expected


def test_missing_values_stay_missing():
    table = pd.DataFrame({"q": [1.0, np.nan], "text": ["a", None]})
    result = table_from_bytes(table_bytes(table))
    assert result.isna().to_numpy().tolist() == [[False, False], [True, True]]


def test_a_named_index_becomes_a_column():
    table = pd.DataFrame({"q": [1.0, 2.0]}, index=pd.Index(["x", "y"], name="persona"))
    assert table_from_bytes(table_bytes(table)).columns.tolist() == ["persona", "q"]


@pytest.mark.parametrize(
    "name", ["LITERALS", "SEARCHES", "HITS", "NULLS", "EXCLUSIONS", "VERDICTS"]
)
def test_empty_tables_of_every_contract_keep_it(name):
    contract = getattr(contracts, name)
    contract.check(table_from_bytes(table_bytes(contract.empty())))


def test_no_metadata_of_pandas(tmp_path):
    (tmp_path / "t.parquet").write_bytes(table_bytes(pd.DataFrame({"q": [1.0]})))
    metadata = pq.read_schema(tmp_path / "t.parquet").metadata or {}
    assert b"pandas" not in metadata


def test_the_same_bytes_in_another_process():
    code = (
        "import sys, numpy as np, pandas as pd\n"
        "from ketadask.store.tables import table_bytes\n"
        "t = pd.DataFrame({'q': np.arange(5000) / 7, 's': [f'p{i % 9}' for i in range(5000)]})\n"
        "sys.stdout.buffer.write(table_bytes(t))"
    )
    one, two = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        for _ in range(2)
    )
    assert one == two
    assert len(one) > 1000


FORMULAS = st.text(alphabet='=+-@\uff1d;|\t\r\n ,"ab01.', max_size=8)


@given(st.lists(FORMULAS, min_size=1, max_size=4), FORMULAS)
def test_no_spreadsheet_finds_a_formula(cells, name):
    """However a spreadsheet separates the cells: it may expect semicolons or tabs."""
    text = csv_text(pd.DataFrame({f"{name}x": cells, "q": -1.5}))
    for separator in ",;|\t":
        for row in csv.reader(io.StringIO(text), delimiter=separator):
            for cell in row:
                beginning = cell.lstrip(" \t\r\n")[:1]
                assert beginning not in ("=", "@", "\uff1d"), cell
                assert beginning not in ("+", "-") or is_number(cell.partition(",")[0]), cell


def is_number(text):
    try:
        return float(text) is not None
    except ValueError:
        return False


def test_numbers_in_csv_are_unharmed():
    table = pd.DataFrame(
        {"t": ["-1.5", "+2e-3", "-inf", "-x", None], "q": [-1.0, 2, np.nan, -4, 5]}
    )
    assert csv_text(table) == "t,q\n-1.5,-1.0\n+2e-3,2.0\n-inf,\n'-x,-4.0\n,5.0\n"
