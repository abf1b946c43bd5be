"""Members of personas: their overlap, and their scores over the days, against pandas."""

from dataclasses import replace

import numpy as np
import pytest

from ketadask import names as nm
from ketadask.report.context import build_context
from ketadask.report.members import courses_view, family_map, member_masks
from tests.report.example_tables import PLANTED


def planted_mask(units):
    values = units["value"].to_pandas()
    literals = [(values[f] > low) & (values[f] <= high) for f, low, high in PLANTED]
    return np.all(literals, axis=0)


def first_course(data, **parts):
    return courses_view(build_context(replace(data, **parts)))[0]


def test_members_are_those_of_the_literals(data, context):
    masks = member_masks(context, context.personas)
    np.testing.assert_array_equal(masks[0], planted_mask(data.units))
    assert [int(mask.sum()) for mask in masks] == data.verdicts["support"].tolist()


def test_members_that_disagree_with_the_support_are_not_drawn(data):
    table = data.verdicts.copy()
    table.loc[0, "support"] += 1
    context = build_context(replace(data, verdicts=table))
    assert member_masks(context, context.personas) == []
    assert family_map(context) is None
    assert courses_view(context) is None


def test_means_over_the_days_are_those_of_pandas(data):
    members = set(data.units["participant"].values[planted_mask(data.units)])
    table = data.courses.assign(inside=data.courses["participant"].isin(members))
    expected = table.groupby(["day", "inside", "arm"])["score"].agg(["mean", "count"])
    points = first_course(data).points
    assert len(points) == 4 * 2 * 2
    for p in points:
        mean, count = expected.loc[(p.day, p.side == "inside", p.arm)]
        assert (p.mean, p.n) == (pytest.approx(mean), count)
        assert p.low <= p.mean <= p.high


def test_days_with_few_visits_are_excluded(data):
    assert 30 in set(data.courses["day"])
    assert {p.day for p in first_course(data).points} == {0, 1, 3, 7}


def test_the_score_of_a_single_participant_is_not_drawn(data):
    members = data.units["participant"].values[planted_mask(data.units)][1:]
    table = data.courses
    hidden = table["participant"].isin(members) & (table["day"] == 3) & (table["arm"] == "active")
    points = {(p.day, p.side, p.arm) for p in first_course(data, courses=table[~hidden]).points}
    assert {(3, "inside", "control"), (3, "outside", "active")} <= points
    assert (3, "inside", "active") not in points


def test_pooled_studies_follow_cases(data):
    pooled = first_course(data, units=data.units.assign_attrs(design="pooled")).points
    assert sum(p.n for p in first_course(data).points) == 2 * sum(p.n for p in pooled)


def test_the_map_has_every_pair(data, context):
    view = family_map(context)
    count = len(data.verdicts)
    assert len(view.rows) == count
    for svg in (view.figure.wide, view.figure.narrow):
        assert svg.count(" share ") == count * (count - 1)
    one, two = member_masks(context, context.personas[:2])
    title = f"personas #2 and #1 share {(one & two).sum()} of {(one | two).sum()} members"
    assert f"<title>{title}</title>" in view.figure.wide


def test_noise_has_the_course_of_the_best_only(data, context, noise_context):
    assert len(courses_view(noise_context)) == 1
    claims = (data.verdicts["verdict"] != nm.NOISE).sum()
    assert len(courses_view(context)) == min(claims, 3)
