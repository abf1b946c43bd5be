"""Members of personas: whom they share, and their scores over the days, against pandas."""

from dataclasses import replace

import numpy as np
import pytest

from ketadask import names as nm
from ketadask.report.labels import shortened
from ketadask.report.members import courses_view, family_map, members
from ketadask.report.personas import ranked
from tests.report.made_tables import PLANTED


def planted(units):
    values = units["value"].to_pandas()
    held = [(values[f] > low) & (values[f] <= high) for f, low, high in PLANTED]
    return np.all(held, axis=0)


def test_members_are_those_of_the_literals(findings):
    found = members(findings, ranked(findings))
    assert len(found) == len(findings.verdicts)
    np.testing.assert_array_equal(found[0], planted(findings.units))
    assert [int(each.sum()) for each in found] == findings.verdicts["support"].tolist()


def test_members_that_do_not_add_up_are_not_shown(findings):
    table = findings.verdicts.copy()
    table.loc[0, "support"] += 1
    other = replace(findings, verdicts=table)
    assert members(other, ranked(other)) == []
    assert family_map(other) is None
    assert courses_view(other) is None


def test_means_over_the_days_are_those_of_pandas(findings):
    who = set(findings.units["participant"].values[planted(findings.units)])
    table = findings.courses.assign(inside=findings.courses["participant"].isin(who))
    wanted = table.groupby(["day", "inside", "arm"])["score"].agg(["mean", "count"])
    points = courses_view(findings)[0]["points"]
    assert len(points) == 4 * 2 * 2
    for p in points:
        mean, count = wanted.loc[(p["day"], p["where"] == "inside", p["arm"])]
        assert (p["mean"], p["n"]) == (pytest.approx(mean), count)
        assert p["low"] <= p["mean"] <= p["high"]


def test_days_on_which_few_were_seen_are_left_out(findings):
    assert 30 in set(findings.courses["day"])
    assert {p["day"] for p in courses_view(findings)[0]["points"]} == {0, 1, 3, 7}


def test_the_score_of_a_single_person_is_not_shown(findings):
    who = findings.units["participant"].values[planted(findings.units)][1:]
    table = findings.courses
    hidden = table["participant"].isin(who) & (table["day"] == 3) & (table["arm"] == "active")
    points = courses_view(replace(findings, courses=table[~hidden]))[0]["points"]
    assert {(3, "inside", "control"), (3, "outside", "active")} <= (
        shown := {(p["day"], p["where"], p["arm"]) for p in points}
    )
    assert (3, "inside", "active") not in shown


def test_the_people_of_a_pooled_study_are_told_by_case(findings):
    units = findings.units.assign_attrs(design="pooled")
    kept = courses_view(replace(findings, units=units))[0]["points"]
    every = courses_view(findings)[0]["points"]
    assert sum(p["n"] for p in every) == 2 * sum(p["n"] for p in kept)


def test_every_pair_of_the_map_is_told(findings):
    drawing, view = family_map(findings)
    count = len(findings.verdicts)
    assert view["count"] == count
    for svg in (drawing.wide, drawing.narrow):
        assert svg.count(" share ") == count * (count - 1)
    one, two = members(findings, ranked(findings)[:2])
    told = f"personas 2 and 1 share {(one & two).sum()} of {(one | two).sum()} members"
    assert f"<title>{told}</title>" in drawing.wide


def test_noise_shows_the_course_of_the_best_only(findings, nothing_supported):
    assert len(courses_view(nothing_supported)) == 1
    leading = (findings.verdicts["verdict"] != nm.NOISE).sum()
    assert len(courses_view(findings)) == min(leading, 3)
    assert shortened(courses_view(findings)[0]["figure"].alt, 40).startswith("Mean score over the")
