"""Higher is better: the right direction is silent, the wrong one is warned of everywhere."""

import re

import numpy as np
import pytest

from ketadask.cli.main import run

N = 48
STUDY = """name: qol
data: {folder: ., tables: [{file: scores.csv}]}
outcome: {column: qol, baseline: qol0, direction: DIRECTION}
design: {kind: parallel}
features: {modalities: [demographic, scale]}
search: {max_literals: 1}
splits: {count: 2}
null: {relabellings: 19, calibration_studies: 0}
"""


def write_trial(folder, direction):
    """Write a trial in which the active arm gains 8 points of a scale of which more is better."""
    rng = np.random.default_rng(5)
    before = rng.integers(30, 60, N)
    after = before + 2 + rng.integers(-4, 5, N) + np.where(np.arange(N) % 2, 0, 8)
    people = [f"s{u:02d}\t{'dp'[u % 2]}\t{30 + u}" for u in range(N)]
    (folder / "participants.tsv").write_text(
        "participant_id\tinfusion_1\tage\n" + "\n".join(people) + "\n"
    )
    rows = [f"s{u:02d},{before[u]},{after[u]}" for u in range(N)]
    (folder / "scores.csv").write_text("participant_id,qol0,qol\n" + "\n".join(rows) + "\n")
    path = folder / "study.yaml"
    path.write_text(STUDY.replace("DIRECTION", direction))
    change = (after - before).astype(float)
    return path, change[::2].mean() - change[1::2].mean()


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_the_overall_effect_comes_first_and_a_wrong_direction_is_warned_of(
    tmp_path, capsys, direction, monkeypatch, in_process
):
    monkeypatch.setattr("ketadask.cli.power.print_power_preview", lambda study, checked: None)
    path, difference = write_trial(tmp_path, direction)
    shown = difference if direction == "higher" else -difference
    warning = "if higher ones are, set outcome.direction: higher"
    assert run(["check", str(path), "--out", str(tmp_path / "runs")]) == 0
    check = capsys.readouterr().out
    words = ["--out", str(tmp_path / "runs"), "--cluster", str(in_process)]
    assert run(["run", str(path), *words]) == 0
    terminal = capsys.readouterr().out
    report = next((tmp_path / "runs").glob("*/report.html")).read_text()
    page = re.sub(r"<[^>]+>", "", report[: report.index('id="verdicts"')])
    for text in (check, terminal, page):
        assert "(n = 24), control" in text
        assert f"difference {shown:.1f} (95 % CI" in text
        assert (warning in text) == (direction == "lower")
    assert terminal.index("overall effect") < terminal.index("verdicts:")  # of the summary
    assert page.index("Overall effect") < page.index("Question")
