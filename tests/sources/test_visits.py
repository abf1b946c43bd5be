"""Session names: by period, by arm with a shared baseline, and by patterns of one's own."""

import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.visits import ARMS, Visit, VisitPattern


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
    with pytest.raises(InputError, match=r"does not match .* found 'ses-d2'; .*\[bdp\]") as caught:
        VisitPattern().visit("ses-d2")
    assert "give data.tables columns of period and day" in str(caught.value)
    with pytest.raises(InputError, match=r"does not match the pattern .* found 'week 1'"):
        VisitPattern(ARMS).visit("week 1")


def test_an_unknown_arm_is_named():
    pattern = VisitPattern(r"ses-(?P<arm>[a-z])(?P<day>\d+)")
    with pytest.raises(InputError, match="unknown arm 'x' in the session, found 'ses-x2'; known"):
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
