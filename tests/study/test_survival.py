"""A whole study of a time to event: a planted hazard ratio of 0.4 in 35 % of 200 participants."""

import json

import numpy as np

from ketadask.cli.main import run

N = 200
STUDY = """name: survival
data: {folder: ., tables: [{file: scores.csv}]}
outcome: {column: months, event: died, horizon: 24}
design: {kind: parallel}
features: {modalities: [demographic, scale]}
search: {max_literals: 1}
splits: {count: 2}
null: {relabellings: 199, calibration_studies: 0}
"""


def test_a_planted_hazard_ratio_is_found_from_a_prespecified_list(tmp_path, capsys, in_process):
    """Of three features; the rates of detection are in tests/benchmarks/README.md."""
    rng = np.random.default_rng(1)
    age, crp = rng.integers(30, 80, N), rng.gamma(2, 2, N).round(1)
    bmi, active = rng.normal(27, 4, N).round(1), np.arange(N) % 2 == 1
    inside = crp <= np.quantile(crp, 0.35)
    time = rng.exponential(12, N) / np.where(inside & active, 0.4, 1.0)
    end = rng.uniform(10, 30, N)
    died, months = (time <= end).astype(int), np.minimum(time, end).round(2) + 0.01
    people = [f"s{u:03d}\t{'pd'[u % 2]}\t{age[u]}\t{bmi[u]}" for u in range(N)]
    head = "participant_id\tinfusion_1\tage\tbmi\n"
    (tmp_path / "participants.tsv").write_text(head + "\n".join(people) + "\n")
    rows = [f"s{u:03d},{crp[u]},{months[u]},{died[u]}" for u in range(N)]
    head = "participant_id,crp,months,died\n"
    (tmp_path / "scores.csv").write_text(head + "\n".join(rows) + "\n")
    (tmp_path / "study.yaml").write_text(STUDY)
    words = ["--out", str(tmp_path / "runs"), "--cluster", str(in_process)]
    assert run(["run", str(tmp_path / "study.yaml"), *words]) == 0
    assert "difference 2.0 (95 % CI -0.5 to 4.4; units of time" in capsys.readouterr().out
    (folder,) = (tmp_path / "runs").glob("survival-*")
    best = json.loads((folder / "summary.json").read_text())["best"]
    assert best["text"].startswith("crp <=")
    assert (best["polarity"], best["verdict"]) == ("favourable", "supported")
    page = (folder / "report.html").read_text()
    assert "144 events, 0 competing events" in page
    assert "(administrative censoring)" in page
