"""Session names, and dates that contradict them, named with their rows."""

import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.participants import read_participants
from ketadask.sources.phenotype import read_phenotype
from ketadask.sources.visits import ARMS, Visit, VisitPattern, parse_date


@pytest.mark.parametrize(
    ("pattern", "session", "visit"),
    [
        (VisitPattern().pattern, "ses-p1d0", Visit(1, "", 0)),
        (VisitPattern().pattern, "ses-p2d10", Visit(2, "", 10)),
        (ARMS, "ses-b0", Visit(0, "shared", 0)),
        (ARMS, "ses-d2", Visit(0, "active", 2)),
        (ARMS, "ses-p10", Visit(0, "control", 10)),
        (r"(?P<arm>ketamine|placebo)_day(?P<day>-?\d+)", "placebo_day-1", Visit(0, "control", -1)),
        (r"V(?P<period>[12])?(?P<day>\d)", "V0", Visit(0, "shared", 0)),
    ],
)
def test_what_a_session_says(pattern, session, visit):
    assert VisitPattern(pattern).visit(session) == visit


def test_a_session_that_does_not_match_suggests_the_pattern_that_does():
    with pytest.raises(InputError, match=r"does not match .* found 'ses-d2'; .*\[bdp\]") as error:
        VisitPattern().visit("ses-d2")
    assert "give data.tables columns of period and day" in str(error.value)
    with pytest.raises(InputError, match=r"does not match the pattern .* found 'week 1'"):
        VisitPattern(ARMS).visit("week 1")


def test_an_unknown_arm_is_named():
    pattern = VisitPattern(r"ses-(?P<arm>[a-z])(?P<day>\d+)")
    with pytest.raises(
        InputError, match="unknown arm 'x' in the session, found 'ses-x2'; valid are"
    ):
        pattern.visit("ses-x2")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("ses-(", "not a regular expression"),
        (r"ses-(?P<day>\d)", "needs the named groups day and period or arm"),
        (r"ses-(?P<perod>\d)d(?P<day>\d)", "unknown group .* did you mean 'period'"),
    ],
)
def test_a_pattern_that_cannot_work_is_named(pattern, message):
    with pytest.raises(InputError, match=message):
        VisitPattern(pattern)


def test_a_period_below_zero_is_an_error():
    with pytest.raises(InputError, match=r"the period of a session is 1, 2, .*'p-2 d7'"):
        VisitPattern(r"p(?P<period>-?\d+) d(?P<day>\d+)").visit("p-2 d7")


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


def study(folder, rows, participants=PEOPLE):
    (folder / "phenotype").mkdir()
    (folder / "participants.tsv").write_text(participants)
    (folder / "phenotype" / "madrs.tsv").write_text(HEAD + "\n".join(rows) + "\n")
    return folder


def change(row, old, new):
    assert old in GOOD[row]
    return [line.replace(old, new) if k == row else line for k, line in enumerate(GOOD)]


def test_good_dates_are_no_finding_and_no_feature(tmp_path):
    folder = study(tmp_path, GOOD)
    table = read_phenotype(folder).table
    assert table.columns.tolist()[5:] == ["madrs_total"]
    assert len(table) == 5
    assert read_participants(folder).table["washout"].tolist()[0] == 14


def test_swapped_sessions_are_found_by_their_dates(tmp_path):
    rows = change(1, "p1d7", "p2d7")
    rows[3] = rows[3].replace("p2d7", "p1d7")
    folder = study(tmp_path, rows, PEOPLE.replace("2004-11-03", "n/a"))
    with pytest.raises(InputError) as error:
        read_phenotype(folder)
    assert str(error.value).endswith(
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
        read_phenotype(study(tmp_path, change(row, old, new)))


def test_infusions_dated_in_the_wrong_order_are_named(tmp_path):
    folder = study(tmp_path, GOOD, PEOPLE.replace("2004-11-17", "2004-10-17"))
    message = "row 2, column infusion_2_date: the second infusion is dated before the first of 2004"
    with pytest.raises(InputError, match=message):
        read_participants(folder)
    participants = read_participants(folder, bad_cells="missing")
    assert len(participants.findings) == 1
    assert participants.table["washout"].isna().all()
    assert participants.infusions == {}


def test_visits_by_arm_are_ordered_by_the_sequence(tmp_path):
    rows = ["a\tses-b0\t2004-11-01\t30", "a\tses-p2\t2004-11-04\t9", "a\tses-d2\t2004-11-19\t9"]
    folder = study(tmp_path, rows)
    with pytest.raises(InputError, match="ses-p2 is dated before ses-d2"):
        read_phenotype(folder, session_pattern=ARMS)
    first_placebo = PEOPLE.replace("a\td", "a\tx").replace("\tp\t2004", "\td\t2004")
    (folder / "participants.tsv").write_text(first_placebo.replace("a\tx", "a\tp"))
    assert len(read_phenotype(folder, session_pattern=ARMS).table) == 3


def test_what_is_no_date():
    assert parse_date("20041103") == parse_date("2004-11-03")
    assert parse_date("2004-13-03") is None
    assert parse_date("yesterday") is None
