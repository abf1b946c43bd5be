"""participants.tsv: sequences, tolerated gaps, and errors that name the cell."""

import json

import numpy as np
import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.participants import read_participants

HEADER = "participant_id\tage\tsex\tBMI\tgroup\tinfusion_1\tinfusion_2\n"


def write(folder, rows, header=HEADER):
    (folder / "participants.tsv").write_text(header + "".join(f"{row}\n" for row in rows))
    return folder


def test_a_table_is_read_and_sorted(tmp_path):
    rows = [
        "b\t30\tF\t22.5\tMDD\tp\td",
        "a\tn/a\tM\t-999\tHC\td\tn/a",
        "c\t1\tf\t30\tMDD\tn/a\tn/a",
    ]
    table = read_participants(write(tmp_path, rows)).table
    assert table["participant"].tolist() == ["a", "b", "c"]
    assert table["sequence"].tolist() == ["active", "control-active", ""]
    assert table["sex"].tolist() == [0.0, 1.0, 1.0]
    np.testing.assert_array_equal(table["bmi"], [np.nan, 22.5, 30.0])
    assert table["group"].tolist() == ["HC", "MDD", "MDD"]
    assert set(table["trial"]) == set(table["site"]) == {"1"}


def test_only_the_participant_must_be_there(tmp_path):
    table = read_participants(write(tmp_path, ["a\t3"], "participant_id\tsite\n")).table
    assert table.loc[0, ["participant", "sequence", "trial", "site"]].tolist() == [
        "a",
        "",
        "1",
        "3",
    ]
    assert table[["age", "sex", "bmi"]].isna().all(axis=None)


def test_a_parallel_trial_has_one_arm(tmp_path):
    rows = ["a\tketamine", "b\tplacebo"]
    table = read_participants(write(tmp_path, rows, "participant_id\tarm\n")).table
    assert table["sequence"].tolist() == ["active", "control"]


def test_codes_of_sex_may_be_described(tmp_path):
    write(tmp_path, ["a\t1", "b\t2", "c\t-999"], "participant_id\tgender\n")
    with pytest.raises(InputError, match="row 2, column gender: unknown sex, found '1'"):
        read_participants(tmp_path)
    levels = {"gender": {"Levels": {"1": "Male", "2": "Female"}}}
    (tmp_path / "participants.json").write_text(json.dumps(levels))
    np.testing.assert_array_equal(read_participants(tmp_path).table["sex"], [0.0, 1.0, np.nan])


WRONG = {
    "a\t30\tM\t20\tMDD\tx\tp": "row 3, column infusion_1: unknown arm, found 'x'; valid are",
    "a\t30\tM\t20\tMDD\tb\tp": "row 3, column infusion_1: unknown arm, found 'b'",
    "a\t30\tM\t20\tMDD\td\td": "row 3, column infusion_2: both infusions have the same arm",
    "a\t30\tM\t20\tMDD\tn/a\td": "row 3, column infusion_1: a second infusion without a first",
    "a\told\tM\t20\tMDD\td\tp": "row 3, column age: not a number, found 'old'",
    "a\t300\tM\t20\tMDD\td\tp": "row 3, column age: outside the range 0 to 120, found '300'",
    "a\t30\tM\t2.0e3\tMDD\td\tp": "row 3, column BMI: outside the range",
    "\t30\tM\t20\tMDD\td\tp": "row 3, column participant_id: no participant",
}


@pytest.mark.parametrize("row", WRONG)
def test_a_wrong_cell_is_named_or_kept_as_a_finding(tmp_path, row):
    write(tmp_path, ["z\t30\tM\t20\tMDD\tp\td", row])
    with pytest.raises(InputError, match=WRONG[row]) as error:
        read_participants(tmp_path)
    assert str(error.value).startswith(str(tmp_path / "participants.tsv"))
    participants = read_participants(tmp_path, bad_cells="missing")
    table = participants.table
    assert table["participant"].tolist() == (["a", "z"] if row[0] == "a" else ["z"])
    assert len(participants.findings) == 1
    if "infusion" in WRONG[row]:
        assert table["sequence"].tolist() == ["", "control-active"]


def test_one_without_a_trial_among_others_is_no_trial_of_their_own(tmp_path):
    header = "participant_id\ttrial\tarm\n"
    rows = ["a\t1\tketamine", "b\tn/a\tplacebo", "c\tn/a\tn/a"]
    with pytest.raises(
        InputError, match="row 3, column trial: no trial, where others have one; na"
    ):
        read_participants(write(tmp_path, rows, header))
    participants = read_participants(tmp_path, bad_cells="missing")
    table = participants.table
    assert table["trial"].tolist() == ["1", "unnamed", "unnamed"]
    assert len(participants.findings) == 1  # who was never treated needs no trial
    participants = read_participants(
        write(tmp_path, [row.replace("1", "n/a") for row in rows], header)
    )
    table = participants.table
    assert table["trial"].tolist() == ["1", "1", "1"]


def test_a_second_infusion_needs_a_column_of_the_first(tmp_path):
    header = HEADER.replace("infusion_1", "drug_1")
    with pytest.raises(InputError, match="header: a column infusion_2 without infusion_1; rename"):
        read_participants(write(tmp_path, ["a\t30\tM\t20\tMDD\td\tp"], header))


@pytest.mark.parametrize("bad_cells", ["stop", "missing"])
def test_a_participant_named_twice_always_stops(tmp_path, bad_cells):
    row = "a\t30\tM\t20\tMDD\td\tp"
    message = "row 3, column participant_id: participant appears twice, first in row 2, found 'a'"
    with pytest.raises(InputError, match=message):
        read_participants(write(tmp_path, [row, row]), bad_cells=bad_cells)
    if bad_cells == "missing":  # rows of nobody do not hide it
        nobody = row.replace("a", "n/a", 1)
        with pytest.raises(InputError, match=r"row 5, .* appears twice, first in row 4"):
            read_participants(write(tmp_path, [nobody, nobody, row, row]), bad_cells=bad_cells)


def test_the_real_trial(real_data):
    table = read_participants(real_data / "clinical" / "ds005917").table
    assert len(table) == 58
    assert table["group"].value_counts().to_dict() == {"MDD": 33, "HC": 22, "BP": 3}
    empty = table[table["participant"] == "sub-MOA117"].iloc[0]
    assert empty["sequence"] == ""
    assert np.isnan(empty["age"])


def test_a_real_table_without_infusions(real_data):
    table = read_participants(real_data / "clinical" / "ds002748").table
    assert len(table) == 72
    assert set(table["sequence"]) == {""}
    assert table["sex"].isin([0, 1]).all()


def test_a_column_of_clusters_is_read_where_the_study_names_it(tmp_path):
    folder = write(tmp_path, ["b\tf1", "a\tf1", "c\tn/a"], "participant_id\tFamily\n")
    table = read_participants(folder, cluster="family").table
    assert table["cluster"].tolist() == ["f1", "f1", "=c"]
    assert "cluster" not in read_participants(folder).table
    with pytest.raises(InputError, match=r"no column 'familie'.*did you mean 'Family'"):
        read_participants(folder, cluster="familie")
