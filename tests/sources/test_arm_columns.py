"""A row per participant and a column per arm or period give the trial of a row per visit."""

from pathlib import Path

import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.arm_columns import guess_pattern, visit_rows
from ketadask.sources.cells import Cells
from ketadask.sources.trial_table import read_trial_table

WIDE = {
    "id": ["a", "b"],
    "age": ["30", "41"],
    "order": ["DP", "placebo/drug"],
    "pain_drug": ["3", "5"],
    "pain_placebo": ["6", ""],
}
BY_PERIOD = {
    "id": ["a", "b"],
    "age": ["30", "41"],
    "seq": ["DP", "PD"],
    "pre1": ["7", "8"],
    "pre2": ["6", "9"],
    "pain1": ["3", ""],
    "pain2": ["6", "5"],
}
ARMS = {"D": "active", "P": "control"}


def cells_of(columns):
    n = len(next(iter(columns.values())))
    return Cells(Path("trial.csv"), columns, range(2, n + 2))


def test_a_column_per_arm():
    pattern = guess_pattern(list(WIDE))
    assert pattern == "(?P<name>pain)_(?P<arm>drug|placebo)"
    rows = visit_rows(cells_of(WIDE), pattern)
    assert rows.columns["period"] == ["1", "2", "2", "1"]
    trial = read_trial_table(rows, role_columns={"outcome": "pain"})
    assert trial.table["sequence"].tolist() == ["active-control", "control-active"]
    assert trial.table["age"].tolist() == [30, 41]
    scores = trial.scales.table.set_index(["participant", "period"])["pain"]
    assert scores.to_dict() == {("a", 1): 3, ("a", 2): 6, ("b", 2): 5}


def test_a_column_per_period_takes_its_arm_from_the_sequence_and_its_own_baseline():
    rows = visit_rows(cells_of(BY_PERIOD), r"(?P<name>pain|pre)(?P<period>\d)")
    assert rows.columns["arm"] == ["D", "P", "P", "D"]
    roles = {"outcome": "pain", "baseline": "pre"}
    trial = read_trial_table(rows, role_columns=roles, arms=ARMS)
    table = trial.scales.table.set_index(["participant", "period", "day"])
    before, after = table.xs(0, level="day")["pre"], table.xs(1, level="day")["pain"]
    assert before.to_dict() == {("a", 1): 7, ("a", 2): 6, ("b", 1): 8, ("b", 2): 9}
    assert after.to_dict() == {("a", 1): 3, ("a", 2): 6, ("b", 2): 5}
    same = {**BY_PERIOD, "pre2": BY_PERIOD["pre1"]}
    rows = visit_rows(cells_of(same), r"(?P<name>pain|pre)(?P<period>\d)")
    visits = read_trial_table(rows, role_columns=roles, arms=ARMS).scales.table
    assert visits.loc[visits["day"] == 0, "period"].tolist() == [0, 0]


def test_an_error_names_the_cell_of_the_file():
    broken = {**WIDE, "pain_drug": ["much", "5"]}
    rows = visit_rows(cells_of(broken), str(guess_pattern(list(WIDE))))
    with pytest.raises(InputError, match=r"row 2, column pain_drug or pain_placebo.*'much'"):
        read_trial_table(rows, role_columns={"outcome": "pain"})


@pytest.mark.parametrize(
    ("columns", "pattern", "message"),
    [
        (WIDE, "pain_(?P<arm>.+)", r"needs the named groups name and arm, period or day"),
        (WIDE, "(?P<name>pane)_(?P<arm>.+)", r"no header matches the pattern.*headers are id, age"),
        (
            {**WIDE, "order": ["DP", "DD"]},
            None,
            r"row 3, column order: does not name each arm once",
        ),
        (
            {k: v for k, v in BY_PERIOD.items() if k != "seq"},
            r"(?P<name>pain)(?P<period>\d)",
            r"data.table.sequence: no column says which arm a period had",
        ),
    ],
)
def test_what_cannot_be_read_names_the_key_and_the_remedy(columns, pattern, message):
    with pytest.raises(InputError, match=message):
        visit_rows(cells_of(columns), pattern or str(guess_pattern(list(columns))))


def test_other_headers_are_no_columns_of_arms():
    assert guess_pattern(["id", "age_years", "bp_left", "bp_right", "score"]) is None
