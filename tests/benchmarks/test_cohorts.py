"""Large cohorts: the same bits in blocks and in parts, and consistent figures."""

from __future__ import annotations

import json

import pytest

from ketadask.schema.errors import InputError
from tests.benchmarks import cohorts


@pytest.fixture(scope="module")
def results():
    return {
        "machine": {"cores": 2},
        "rows": cohorts.cohort(300, 40, splits=4, workers=2, kind="threads"),
        "split": [cohorts.one_search(300, 20, 3, workers=2, pieces=3, kind="threads")],
    }


def test_a_cohort_is_searched_in_blocks_and_parts_alike(results):
    assert [row["search"] for row in results["rows"]] == ["pairs", "beam 3"]
    for row in results["rows"]:
        assert row["same"]
        assert row["splits"] == 4
        assert row["ratio"] == pytest.approx(row["rate"] / row["one_rate"])
        assert row["memory"] >= 0.95 * row["first_memory"] > 50
    (split,) = results["split"]
    assert split["same"]
    assert split["speedup"] == pytest.approx(split["unsplit"] / split["split"])


def test_a_difference_between_blocks_would_be_said(monkeypatch):
    marks = iter(range(100))
    monkeypatch.setattr(cohorts, "fingerprint_of", lambda found: next(marks))
    rows = cohorts.cohort(300, 40, splits=2, workers=1, kind="synchronous")
    assert not any(row["same"] for row in rows)


def test_cohorts_prints_tables_and_json(results, monkeypatch, capsys):
    monkeypatch.setattr(cohorts, "cohort", lambda *size, **options: results["rows"])
    monkeypatch.setattr(cohorts, "one_search", lambda *size, **options: results["split"][0])
    assert cohorts.main(["--sizes", "300x40", "--splits", "4"]) == 0
    text = capsys.readouterr().out
    assert "same in blocks" in text
    assert "speed-up" in text
    assert cohorts.main(["--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 4
    with pytest.raises(InputError, match=r"--sizes.*write 5000x2000"):
        cohorts.main(["--sizes", "300"])
    with pytest.raises(InputError, match=r"--long.*300x20.*write 1000x360x3"):
        cohorts.main(["--long", "300x20"])
