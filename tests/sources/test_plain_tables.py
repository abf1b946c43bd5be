"""Plain tables of every kind and layout give the same scores; a wrong cell is named in its file."""

import numpy as np
import pandas as pd
import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.participants import read_participants
from ketadask.sources.plain_tables import PlainTable, read_tables
from ketadask.sources.spreadsheets import read_table
from ketadask.sources.visits import ARMS

LONG = pd.DataFrame(
    {
        "Subject": ["a", "a", "b"],
        "Visit": ["ses-p1d0", "ses-p1d7", "ses-p1d0"],
        "MADRS score": [30, 12, 28],
        "Q10": [1, None, 3],
        "note": ["calm", None, "x"],
    }
)
COLUMNS = {"columns": {"MADRS score": "madrs_total", "Q10": "bdi_10"}}


def expected():
    return {"madrs_total": [30, 12, 28], "bdi_10": [1, np.nan, 3]}


def check(table):
    assert table["participant"].tolist() == ["a", "a", "b"]
    assert table["day"].tolist() == [0, 7, 0]
    for name, values in expected().items():
        np.testing.assert_array_equal(table[name], values)


def save(table, folder, kind):
    path = folder / f"scores.{kind}"
    if kind == "xlsx":
        table.to_excel(path, index=False)
    elif kind == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="," if kind == "csv" else "\t", na_rep="n/a")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "txt", "xlsx", "parquet"])
def test_every_kind_of_file_gives_the_same_scores(tmp_path, kind):
    save(LONG, tmp_path, kind)
    read = PlainTable(f"scores.{kind}", participant="Subject", session="Visit", **COLUMNS)
    phenotype = read_tables(tmp_path, [read])
    table = phenotype.table
    check(table)
    assert phenotype.ignored == ["note"]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_a_wrong_cell_is_named_by_row_and_column_of_the_file(tmp_path, kind):
    save(LONG.assign(**{"MADRS score": [30, 61, 28]}), tmp_path, kind)
    read = PlainTable(f"scores.{kind}", participant="Subject", session="Visit", **COLUMNS)
    message = rf"scores\.{kind}: row 3, column MADRS score: outside the range 0 to 60, found '61'"
    with pytest.raises(InputError, match=message):
        read_tables(tmp_path, [read])
    phenotype = read_tables(tmp_path, [read], bad_cells="missing")
    table = phenotype.table
    assert len(phenotype.findings) == 1
    assert np.isnan(table["madrs_total"][1])


def test_the_sheet_the_delimiter_and_the_decimal_comma(tmp_path):
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        pd.DataFrame({"x": [1]}).to_excel(book, sheet_name="notes", index=False)
        LONG.to_excel(book, sheet_name="visits", index=False)
    read = PlainTable("book.xlsx", "Subject", "Visit", sheet="visits", **COLUMNS)
    check(read_tables(tmp_path, [read]).table)
    with pytest.raises(InputError, match="no such sheet, found 'visit'; did you mean 'visits'"):
        read_table(tmp_path / "book.xlsx", sheet="visit")
    (tmp_path / "labs.csv").write_text("id;crp\na;1,5\nb;-77\n")
    labs = PlainTable("labs.csv", "id", delimiter=";", decimal=",", na_values=[-77])
    np.testing.assert_array_equal(read_tables(tmp_path, [labs]).table["crp"], [1.5, np.nan])


@pytest.mark.parametrize(
    ("headers", "pattern"),
    [
        ("MADRS_{}_ses-p1d{}", r"(?P<name>\w+)_(?P<session>ses-.*)"),
        ("MADRS_{}_p1_d{}", r"(?P<name>\w+)_p(?P<period>[12])_d(?P<day>\d+)"),
    ],
)
def test_one_row_per_participant(tmp_path, headers, pattern):
    wide = "id,age,{},{},MADRS_tot_n\na,30,30,12,1\nb,40,28,n/a,2\n".format(
        headers.format("tot", 0), headers.format("tot", 7)
    )
    (tmp_path / "wide.csv").write_text(wide)
    read = PlainTable(
        "wide.csv",
        "id",
        wide_pattern=pattern,
        columns={"MADRS_tot": "madrs_total"},
        ignore=["MADRS_tot_n"],
    )
    table = read_tables(tmp_path, [read]).table
    assert table[["participant", "period", "day"]].values.tolist() == [
        ["a", 0, 0], ["a", 1, 0], ["a", 1, 7], ["b", 0, 0], ["b", 1, 0],
    ]  # fmt: skip
    np.testing.assert_array_equal(table["madrs_total"], [np.nan, 30, 12, np.nan, 28])
    np.testing.assert_array_equal(table["age"], [30, np.nan, np.nan, 40, np.nan])
    (tmp_path / "wide.csv").write_text(wide.replace("a,30,30", "a,30,99"))
    first = headers.format("tot", 0)
    with pytest.raises(InputError, match=rf"wide\.csv: row 2, column {first}: outside the range"):
        read_tables(tmp_path, [read])


@pytest.mark.parametrize(
    ("headers", "baseline"),
    [("madrs_b0,age,bdi_b0", "shared"), ("madrs_drug0,age,bdi_ketamine0", "active")],
)
def test_one_visit_spelt_in_two_ways_is_one_visit(tmp_path, headers, baseline):
    """A shared baseline is the visit of what was measured once; neither overwrites the other."""
    (tmp_path / "wide.csv").write_text(f"id,{headers},madrs_p2\na,30,44,3,12\nb,31,45,2,20\n")
    columns = {"madrs": "madrs_total", "bdi": "bdi_10"}
    pattern = r"(?P<name>[a-z]+)_(?P<arm>[a-z]+)(?P<day>\d+)"
    table = read_tables(
        tmp_path, [PlainTable("wide.csv", "id", wide_pattern=pattern, columns=columns)]
    ).table
    assert not table.duplicated(["participant", "period", "arm", "day"]).any()
    baseline_rows = table[(table["arm"] == baseline)]
    assert baseline_rows[["madrs_total", "bdi_10"]].values.tolist() == [[30, 3], [31, 2]]
    assert table["age"].dropna().tolist() == [44, 45]


def test_a_visit_without_scores_is_named(tmp_path):
    (tmp_path / "wide.csv").write_text("id,mood_b0\na,calm\n")
    read = PlainTable("wide.csv", "id", wide_pattern=r"(?P<name>\w+)_(?P<arm>[bdp])(?P<day>\d)")
    with pytest.raises(InputError, match=r"wide\.csv: no column holds numbers"):
        read_tables(tmp_path, [read])


@pytest.mark.parametrize(
    ("header", "rows", "visit_columns", "visits"),
    [
        ("p,d", ["1,0", "1.0,7", "2,0"], {"period": "p", "day": "d"}, [(1, ""), (1, ""), (2, "")]),
        (
            "a,d",
            ["n/a,-2", "Ketamine,7", "placebo,7"],
            {"arm": "a", "day": "d"},
            [(0, "shared"), (0, "active"), (0, "control")],
        ),
    ],
)
def test_visits_by_period_arm_and_day(tmp_path, header, rows, visit_columns, visits):
    lines = [f"a,{row},{k}" for k, row in enumerate(rows)]
    (tmp_path / "s.csv").write_text("\n".join([f"id,{header},madrs_1", *lines]) + "\n")
    table = read_tables(tmp_path, [PlainTable("s.csv", "id", **visit_columns)]).table
    ordered_table = table.sort_values("madrs_1")
    assert list(zip(ordered_table["period"], ordered_table["arm"], strict=True)) == visits


WRONG = {
    "column": (PlainTable("s.csv", "who"), r"s\.csv: header: no such column, found 'who'"),
    "session": (PlainTable("s.csv", "id", "visit"), "no such column, found 'visit'"),
    "day": (PlainTable("s.csv", "id", day="d", period="day"), "no such column, found 'day'"),
    "ignore": (PlainTable("s.csv", "id", ignore=["x"]), "ignore: no such column, found 'x'"),
    "mapped": (PlainTable("s.csv", "id", columns={"x": "y"}), "no such column, found 'x'"),
    "twice": (PlainTable("s.csv", "id", columns={"d": "m"}), "two columns are called m"),
    "kind": (PlainTable("s.ods", "id"), r"not a supported format of tables, found '\.ods'"),
    "nowhere": (PlainTable("t.xlsx", "id"), r"t\.xlsx: no such file"),
    "regular": (PlainTable("s.csv", "id", wide_pattern="("), "wide_pattern: not a regular"),
    "groups": (
        PlainTable("s.csv", "id", wide_pattern="(?P<name>.)"),
        "needs the named groups name and",
    ),
    "no match": (
        PlainTable("s.csv", "id", wide_pattern="(?P<name>q)(?P<session>.)"),
        "no header matches the pattern of the wide layout",
    ),
    "bad day": (PlainTable("s.csv", "id", day="m", period="d"), "row 2, column d, m: session does"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_mapping_is_named(tmp_path, name):
    table, message = WRONG[name]
    (tmp_path / "s.csv").write_text("id,d,m,k\na,1,x,3\n")
    with pytest.raises(InputError, match=message):
        read_tables(tmp_path, [table])


def test_a_formula_without_its_value_is_no_missing_value(tmp_path):
    from openpyxl import Workbook

    book = Workbook()
    for row in (["id", "madrs_1", "madrs_2"], ["a", 1, "=B2+1"]):
        book.active.append(row)
    book.save(tmp_path / "s.xlsx")
    with pytest.raises(InputError, match=r"s\.xlsx: row 2: a formula without its value, found '=B"):
        read_table(tmp_path / "s.xlsx")


def test_participants_of_a_workbook(tmp_path):
    participants = pd.DataFrame(
        {
            "Subject": ["a", "b"],
            "First": ["ketamine", "saline"],
            "Second": ["saline", "ketamine"],
            "Day 1": pd.to_datetime(["2004-11-03", "2004-11-04"]),
            "height": [180, 160],
            "weight": [81, None],
        }
    )
    participants.to_excel(tmp_path / "people.xlsx", index=False)
    columns = {
        "Subject": "participant_id",
        "First": "infusion_1",
        "Second": "infusion_2",
        "Day 1": "infusion_1_date",
    }
    participants = read_participants(tmp_path / "people.xlsx", columns=columns)
    table = participants.table
    assert table["sequence"].tolist() == ["active-control", "control-active"]
    assert table["bmi"].tolist()[0] == 25
    assert str(participants.infusions["a"][0]) == "2004-11-03"


def test_the_real_trial_is_the_same_as_a_plain_table(real_data):
    folder = real_data / "clinical" / "ds005917"
    read = PlainTable("phenotype/phenotype.tsv", session="session_id")
    table = read_tables(folder, [read], session_pattern=ARMS).table
    from ketadask.sources.phenotype import read_phenotype

    pd.testing.assert_frame_equal(table, read_phenotype(folder, session_pattern=ARMS).table)


def test_points_may_part_thousands_where_decimals_have_commas(tmp_path):
    labs = tmp_path / "labs.csv"
    labs.write_text("id;crp\na;1.234,5\nb;0,5\nc;-1.234.567,25\n")
    cells = read_table(labs, delimiter=";", decimal=",")
    assert cells.columns["crp"] == ["1234.5", "0.5", "-1234567.25"]
    labs.write_text("id;crp\na;1.234\nb;0,5\n")
    with pytest.raises(InputError, match=r"row 2, column crp.*'1.234'.*write 1234 or 1,234"):
        read_table(labs, delimiter=";", decimal=",")
    labs.write_text("id;crp\n1.234;1\n1.235;0,5\n")
    assert read_table(labs, delimiter=";", decimal=",").columns["id"] == ["1.234", "1.235"]


def test_a_day_alone_is_enough_in_a_parallel_trial(tmp_path):
    scores = pd.DataFrame({"participant_id": ["a", "a"], "day": [0, 7], "madrs_total": [30, 12]})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    people, plain = tmp_path / "participants.tsv", [PlainTable("scores.csv", day="day")]
    people.write_text("participant_id\ttreatment\na\td\nb\tp\n")
    table = read_tables(tmp_path, plain).table
    assert table[["period", "day", "madrs_total"]].values.tolist() == [[1, 0, 30], [1, 7, 12]]
    people.write_text("participant_id\tinfusion_1\tinfusion_2\na\td\tp\n")
    message = r"scores.csv: column day: a day alone .*name the column of periods or arms"
    with pytest.raises(InputError, match=message):
        read_tables(tmp_path, plain)
