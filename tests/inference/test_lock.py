"""A locked persona gives the members of the search, from untreated tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import ketadask as kd
from ketadask.cohort.locked_adjustment import fit_adjustments
from ketadask.inference.lock import build_persona, rounded_range
from ketadask.inference.second_stage import persona_sides
from ketadask.inference.verdicts import build_verdicts
from ketadask.search.persona import DiscoveryRun
from ketadask.sources.regions import ETIV

RUN = DiscoveryRun(name="x", fingerprint="f", inputs="i", ketadask="0")
REGION = "wm-lh-posteriorcingulate"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    kd.simulate_study(folder, participants=70, seed=5, sites=2, overwrite=True)
    images = kd.open_volumes(folder / "derivatives" / "freesurfer")
    return kd.read_phenotype(folder), images, kd.read_participants(folder)


def judge(tables, **options):
    """Return problem, search matrix and verdicts of a search of a few features."""
    scales, images, people = tables
    cohort = kd.assemble(
        scales, images, participants=people, include=[REGION, "bdi_10", ETIV], **options
    )
    units = kd.score_units(cohort, design="parallel")
    search = kd.PersonaSearch(max_literals=2, keep=30)
    problem = search.problem(units)
    nulls = kd.null(search, units, relabellings=19, store=str(options.get("store", "runs"))).table
    results = {p: search.solve(problem, polarity=p) for p in search.polarities}
    return problem, units, build_verdicts(problem, search, results, nulls)


@pytest.mark.parametrize(
    ("volumes", "harmonise"), [("raw", "none"), ("residual", "none"), ("residual", "site")]
)
def test_members_are_those_of_the_search(tables, tmp_path, monkeypatch, volumes, harmonise):
    monkeypatch.chdir(tmp_path)
    problem, units, verdicts = judge(tables, volumes=volumes, harmonise=harmonise)
    _, images, people = tables
    adjustments = fit_adjustments(
        [REGION, ETIV], images, people.table, volumes=volumes, harmonise=harmonise
    )
    raw = images["volume"].to_pandas()[[ETIV, REGION]]
    person = units["participant"].to_numpy()
    table = pd.DataFrame(
        {
            "bdi_10": units["value"].sel(feature="bdi_10").to_numpy(),
            **{name: raw.loc[person, name].to_numpy() for name in raw},
            **people.table.set_index("participant").loc[person, ["trial", "site", "age", "sex"]],
        }
    )
    with_region = verdicts[verdicts["features"].str.contains(REGION)]
    assert len(with_region) >= 2
    for row in with_region.to_dict("records"):
        persona = build_persona(row, problem, units, run=RUN, anyway=True, adjustments=adjustments)
        ids = np.array([[row[f"literal_{k}"] for k in range(1, 5)]])
        inside, outside = (side[0] for side in persona_sides(problem, ids))
        member = persona.members(table)["member"].to_numpy()
        np.testing.assert_array_equal(member == "inside", inside)
        np.testing.assert_array_equal(member == "outside", outside)
        assert inside.sum() == persona.discovery.inside
        own = next(part for part in persona.literals if part.feature == REGION)
        assert (own.region, own.atlas, own.measurement_unit) == (REGION, "wmparc", "mm3")
        assert (own.head_size is not None) == (volumes == "residual")
        assert (own.sites is not None) == (harmonise == "site")
        score = problem.trial.score
        by_hand = score[inside].mean() - score[outside].mean()
        assert persona.discovery.difference == pytest.approx(by_hand)
        assert b"sub-" not in persona.to_json()


def test_what_is_not_supported_is_refused_unless_anyway(tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem, units, verdicts = judge(tables)
    row = verdicts.iloc[0].to_dict() | {"verdict": "suggestive"}
    with pytest.raises(kd.InputError, match=r"does not support.*suggestive.*--anyway"):
        build_persona(row, problem, units, run=RUN)
    assert build_persona(row, problem, units, run=RUN, anyway=True).anyway
    supported = row | {"verdict": "supported"}
    assert not build_persona(supported, problem, units, run=RUN, anyway=True).anyway


def test_the_range_names_no_single_value():
    value = np.array([4533.6871, 5100.2, 9871.21])
    low, high = rounded_range(value)
    assert (low, high) == (4500.0, 9900.0)
    assert not set(map(float, value)) & {low, high}
