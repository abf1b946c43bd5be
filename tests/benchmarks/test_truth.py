"""The truth table: power as the library computes it, for designs on the same participants."""

import dask
import pandas as pd
import pytest

from ketadask.cluster.connect import connect
from ketadask.cluster.profile import Profile
from ketadask.inference.notebook import power
from ketadask.inference.power import build_scenarios
from ketadask.search.persona_search import PersonaSearch
from tests.benchmarks.repeated import Bench
from tests.benchmarks.truth import gain_markdown, main, truth_markdown, truth_table

SEARCH = PersonaSearch(1, cuts=2)
GRID = {"participants": [30, 60], "effect": [0.5, 3.0], "design": ["crossover", "pooled"]}


@pytest.fixture
def table(tmp_path):
    grid = build_scenarios(**GRID, features=3, literals=1)
    with connect(Profile(kind="synchronous")) as executor:
        return truth_table(Bench(tmp_path, executor), grid, SEARCH, simulations=25, seed=3)


def test_the_table_is_that_of_power(table):
    with dask.config.set(scheduler="synchronous"):
        same = power(SEARCH, simulations=25, seed=3, **GRID, features=3, literals=1)
    pd.testing.assert_frame_equal(table, same, check_exact=True)


def test_tables_show_detection_and_gain(table):
    lines = truth_markdown(table).splitlines()
    assert len(lines) == 2 + 4
    assert lines[0].startswith("| participants | prevalence | design | d = 0.5 | d = 3.0 |")
    strong = table[(table["participants"] == 60) & (table["effect"] == 3.0)]
    assert (strong["power"] > 0.9).all()
    assert f"{strong['power'].iloc[0]:.0%} / {strong['recovered'].iloc[0]:.0%}" in lines[4]
    gain = gain_markdown(table).splitlines()
    assert gain[0] == "| participants | d = 0.5 | d = 3.0 |"
    assert [line.split(" | ")[0] for line in gain[2:]] == ["| 30", "| 60"]


def test_the_command(tmp_path, capsys):
    profile = tmp_path / "here.yaml"
    profile.write_text("kind: synchronous\n")
    words = ["--cluster", str(profile), "--out", str(tmp_path), "--participants", "24"]
    words += ["--features", "3", "--literals", "1", "--cuts", "1", "--simulations", "2"]
    assert main([*words, "--prevalences", "0.5", "--effects", "2"]) == 0
    text = capsys.readouterr().out
    assert "2 simulations each; standard error of a rate at most 35.4%" in text
    assert "pooled -> crossover" in text
