"""Simulated volumes are those of adults: names, means, spreads, correlations."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from ketadask.simulate.trial import PERSONA
from ketadask.simulate.volumes import (
    FRONTAL,
    HEAD_SIZE,
    brain_score,
    draw_volumes,
    in_standard_units,
    regions,
)


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    return pd.DataFrame(draw_volumes(rng, rng.random(5_000) < 0.43), columns=regions().name)


@pytest.fixture(scope="module")
def real(real_data) -> pd.DataFrame:
    tables = [
        pd.read_csv(path, sep="\t", index_col=0)
        for path in sorted((real_data / "freesurfer" / "aomic_piop2").glob("*measure-volume*"))
    ]
    wide = pd.concat(tables, axis=1).rename(columns=lambda name: name.replace("-Proper", ""))
    return wide.loc[:, ~wide.columns.duplicated()]


def test_the_185_regions(drawn):
    table = pd.Series(regions().table).value_counts()
    assert table.to_dict() == {
        "wmparc": 70,
        "aseg": 45,
        "lh.aparc": 34,
        "rh.aparc": 34,
        "global": 2,
    }
    assert drawn.columns.is_unique


def test_volumes_go_with_head_size_as_in_adults(drawn):
    r = drawn.drop(columns=HEAD_SIZE).corrwith(drawn[HEAD_SIZE])[drawn.std() > 1].abs()
    assert 0.45 < r.median() < 0.6


def test_hemispheres_go_together(drawn):
    r = drawn.corr()
    pairs = [
        (name, name.replace("lh_", "rh_").replace("-lh-", "-rh-").replace("Left-", "Right-"))
        for name in drawn
        if name.startswith(("lh_", "wm-lh-", "Left-")) and drawn[name].std() > 1
    ]
    assert len(pairs) > 80
    assert 0.55 < np.mean([r.loc[pair] for pair in pairs]) < 0.8


def test_planted_volumes_have_no_twin(drawn):
    r = drawn.loc[:, drawn.std() > 0].corr().abs()
    for planted in PERSONA[:2]:
        assert r[planted.feature].drop(planted.feature).max() < 0.8
    assert 0.4 < r.loc[PERSONA[0].feature, PERSONA[1].feature] < 0.65


def test_every_planted_volume_excludes_enough(drawn):
    first, second = (p.holds(drawn[p.feature]) for p in PERSONA[:2])
    assert (first & second).mean() == pytest.approx(0.51, abs=0.03)
    for one, other in ((first, second), (second, first)):
        assert (one & other).sum() / one.sum() < 0.85


def test_men_have_larger_heads():
    rng = np.random.default_rng(2)
    head = draw_volumes(rng, np.repeat([True, False], 1_000))[:, regions().column(HEAD_SIZE)]
    assert head[:1_000].mean() - head[1_000:].mean() == pytest.approx(278_000, rel=0.1)


def test_nothing_is_negative_and_rare_regions_are_rare(drawn):
    assert (drawn >= 0).all(axis=None)
    assert 0 < (drawn["5th-Ventricle"] > 0).mean() < 0.1
    assert (drawn["Left-WM-hypointensities"] == 0).all()
    usual = [
        name
        for name, shape in zip(regions().name, regions().shape, strict=True)
        if shape in ("normal", "lognormal")
    ]
    assert (drawn[usual] > 0).all(axis=None)


def test_like_the_real_tables(drawn, real):
    seen = [name for name in drawn if real[name].std() > 1]
    assert set(drawn) <= set(real)
    mean = drawn[seen].mean() / real[seen].mean()
    sd = drawn[seen].std() / real[seen].std()
    assert mean.between(0.95, 1.2).all()
    assert mean.median() == pytest.approx(1, abs=0.01)
    assert sd.median() == pytest.approx(1, abs=0.05)
    off = ~np.eye(len(seen), dtype=bool)
    ours, theirs = (table[seen].corr().to_numpy()[off] for table in (drawn, real))
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.06
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95


def test_the_planted_score_is_of_the_whole_frontal_cortex_and_the_cerebellum():
    volume = draw_volumes(np.random.default_rng(4), np.arange(600) % 2 == 0)
    score, z = brain_score(volume), in_standard_units(volume)
    head = z[:, [regions().column(HEAD_SIZE)]]
    beyond = z - head * regions().size
    named = list(enumerate(regions().name))
    frontal, cerebellar = (
        [np.corrcoef(score, beyond[:, j])[0, 1] for j, name in named if pattern.fullmatch(name)]
        for pattern in (FRONTAL, re.compile(".*Cerebellum.*"))
    )
    assert len(frontal) == 22
    assert 0.1 < np.min(frontal) < np.max(frontal) < 0.7
    assert -0.7 < np.min(cerebellar) < np.max(cerebellar) < -0.3
