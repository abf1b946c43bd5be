"""Dates: visits out of order and on the wrong side of an infusion are named with their rows."""

import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.participants import read_participants
from ketadask.sources.phenotype import read_phenotype
from ketadask.sources.visits import ARMS, as_date

PEOPLE = "participant_id\tinfusion_1\tinfusion_1_date\tinfusion_2\tinfusion_2_date\n"
PEOPLE += "a\td\t2004-11-03\tp\t2004-11-17\nb\tp\tn/a\td\tn/a\n"
HEAD = "participant_id\tsession_id\tvisit_date\tmadrs_total\n"
GOOD = [
    "a\tses-p1d0\t2004-11-03\t30",
    "a\tses-p1d7\t2004-11-10\t12",
    "a\tses-p2d0\t2004-11-17\t28",
    "a\tses-p2d7\t11/24/2004\t27",
    "b\tses-p1d0\tn/a\t33",
]


def study(folder, rows, people=PEOPLE):
    (folder / "phenotype").mkdir()
    (folder / "participants.tsv").write_text(people)
    (folder / "phenotype" / "madrs.tsv").write_text(HEAD + "\n".join(rows) + "\n")
    return folder


def changed(row, old, new):
    assert old in GOOD[row]
    return [line.replace(old, new) if k == row else line for k, line in enumerate(GOOD)]


def test_good_dates_are_no_finding_and_no_feature(tmp_path):
    folder = study(tmp_path, GOOD)
    table = read_phenotype(folder).table
    assert table.columns.tolist()[5:] == ["madrs_total"]
    assert len(table) == 5
    assert read_participants(folder).table["washout"].tolist()[0] == 14


def test_swapped_sessions_are_found_by_their_dates(tmp_path):
    swapped = changed(1, "p1d7", "p2d7")
    swapped[3] = swapped[3].replace("p2d7", "p1d7")
    folder = study(tmp_path, swapped, PEOPLE.replace("2004-11-03", "n/a"))
    with pytest.raises(InputError) as caught:
        read_phenotype(folder)
    assert str(caught.value).endswith(
        "madrs.tsv: row 4, column visit_date: ses-p2d0 is dated before ses-p1d7, which is "
        "2004-11-24 in row 5, found '2004-11-17'; correct the sessions, or the date"
    )
    phenotype = read_phenotype(folder, bad_cells="missing")
    table = phenotype.table
    assert len(phenotype.findings) == 3  # two pairs out of order, one before its infusion
    assert table["session"].tolist() == ["ses-p1d0", "ses-p1d0"]


@pytest.mark.parametrize(
    ("row", "old", "new", "message"),
    [
        (0, "2004-11-03", "2004-11-05", "ses-p1d0 is dated after infusion 1 of 2004-11-03"),
        (3, "11/24/2004", "24.11.2004", "row 5, column visit_date: not a date"),
        (3, "11/24/2004", "2004-02-31", "row 5, column visit_date: not a date"),
    ],
)
def test_a_wrong_date_is_named(tmp_path, row, old, new, message):
    with pytest.raises(InputError, match=message):
        read_phenotype(study(tmp_path, changed(row, old, new)))


def test_infusions_dated_in_the_wrong_order_are_named(tmp_path):
    folder = study(tmp_path, GOOD, PEOPLE.replace("2004-11-17", "2004-10-17"))
    message = "row 2, column infusion_2_date: the second infusion is dated before the first of 2004"
    with pytest.raises(InputError, match=message):
        read_participants(folder)
    people = read_participants(folder, bad_cells="missing")
    assert len(people.findings) == 1
    assert people.table["washout"].isna().all()
    assert people.infusions == {}


def test_visits_by_arm_are_ordered_by_the_sequence(tmp_path):
    rows = ["a\tses-b0\t2004-11-01\t30", "a\tses-p2\t2004-11-04\t9", "a\tses-d2\t2004-11-19\t9"]
    folder = study(tmp_path, rows)
    with pytest.raises(InputError, match="ses-p2 is dated before ses-d2"):
        read_phenotype(folder, session_pattern=ARMS)
    first_placebo = PEOPLE.replace("a\td", "a\tx").replace("\tp\t2004", "\td\t2004")
    (folder / "participants.tsv").write_text(first_placebo.replace("a\tx", "a\tp"))
    assert len(read_phenotype(folder, session_pattern=ARMS).table) == 3


def test_what_is_no_date():
    assert as_date("20041103") == as_date("2004-11-03")
    assert as_date("2004-13-03") is None
    assert as_date("yesterday") is None
