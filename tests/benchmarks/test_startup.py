"""Start-up times come from fresh processes."""

from __future__ import annotations

import json

from tests.benchmarks import startup


def test_startup_starts_fresh_processes(capsys):
    assert startup.main(["--runs", "2", "--json"]) == 0
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert set(rows) == {"python that does nothing", *startup.AT_MOST}
    assert rows["ketadask --help"]["fastest"] > rows["import ketadask"]["fastest"] > 0
    assert all(row["fastest"] <= row["median"] for row in rows.values())
    assert rows["import ketadask"]["at_most"] == 0.7


def test_startup_shows_a_table(monkeypatch, capsys):
    row = {"what": "import ketadask", "median": 0.5, "fastest": 0.4, "at_most": 0.7}
    monkeypatch.setattr(startup, "startup", lambda *, runs: {"rows": [row]})
    assert startup.main([]) == 0
    assert "import ketadask" in capsys.readouterr().out
