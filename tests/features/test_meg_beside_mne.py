"""The features beside a whole recording in memory through mne: the same numbers, cheaper."""

from __future__ import annotations

import json

import pytest

from ketadask.features.meg.registry import FAMILIES
from tests.benchmarks.mne_in_memory import MNE, STREAMED, main

# What different filters of the same bands leave: mne's are 11 Hz wide at 45 Hz, ours 1 Hz, so
# measures of the slopes differ most. Alpha peaks of noise may differ; everything else may not.
MOST = {
    "power": 0.02,
    "relative": 0.02,
    "exponent": 0.03,
    "offset": 0.04,
    "peak": 2.0,
    "entropy": 0.005,
    "activity": 0.1,
    "mobility": 0.03,
    "complexity": 0.25,
    "lz": 0.04,
    "aec": 0.04,
    "wpli": 0.05,
    "imcoh": 0.03,
}


@pytest.mark.slow
def test_streamed_features_are_those_of_mne_in_memory(capsys):
    assert main(["--seconds", "20", "--sensors", "60", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    away = result["largest_difference"]
    assert set(away) == set(MOST) == set(FAMILIES)
    assert {family: value for family, value in away.items() if value > MOST[family]} == {}
    assert result[STREAMED]["cpu_s"] < result[MNE]["cpu_s"] / 2
