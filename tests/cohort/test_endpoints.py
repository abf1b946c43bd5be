"""Outcomes as trials have them: a scale at a day, a given change, a responder, remission."""

import numpy as np
import pytest

import ketadask as kd
from ketadask.cohort.endpoints import Outcome
from ketadask.cohort.units import score_units
from ketadask.config.study import read_study
from ketadask.schema.errors import InputError

N = 12


def parallel_trial(folder, **columns):
    """Write a trial of two arms, one row per participant, and a study of it."""
    ids = [f"s{u:02d}" for u in range(N)]
    people = ["participant_id\tinfusion_1\tage"]
    people += [f"{who}\t{'dp'[u % 2]}\t{30 + u}" for u, who in enumerate(ids)]
    (folder / "participants.tsv").write_text("\n".join(people) + "\n")
    rows = [",".join(("participant_id", *columns))]
    rows += [",".join((who, *(str(c[u]) for c in columns.values()))) for u, who in enumerate(ids)]
    (folder / "scores.csv").write_text("\n".join(rows) + "\n")
    text = "name: t\ndata: {folder: ., tables: [{file: scores.csv}]}\ndesign: {kind: parallel}\n"
    (folder / "study.yaml").write_text(text + "features: {modalities: [demographic, scale]}\n")
    return folder / "study.yaml"


def units_of(path, *changes):
    from ketadask.study.from_settings import read_cohort, units_of

    settings = read_study(path, changes)
    return units_of(settings, read_cohort(settings, path.parent))


def values(units):
    return np.nanmax(units["outcome"].to_numpy(), axis=1)


RNG = np.random.default_rng(3)
BEFORE, AFTER = RNG.integers(20, 40, N), RNG.integers(5, 30, N)


@pytest.mark.parametrize(("direction", "sign"), [("lower", -1), ("higher", 1)])
def test_a_change_column_needs_no_baseline_and_has_a_direction(tmp_path, direction, sign):
    path = parallel_trial(tmp_path, change=AFTER - BEFORE, crp=AFTER)
    units = units_of(path, "outcome.column=change", f"outcome.direction={direction}")
    assert values(units).tolist() == (sign * (AFTER - BEFORE)).tolist()
    assert set(units["feature"].values) == {"age", "crp"}  # the outcome is no feature


def test_a_score_with_its_baseline_column(tmp_path):
    path = parallel_trial(tmp_path, score0=BEFORE, score=AFTER)
    changes = ["outcome.column=score", "outcome.baseline=score0"]
    lower = units_of(path, *changes, "outcome.direction=lower")
    higher = units_of(path, *changes, "outcome.direction=higher")
    assert values(lower).tolist() == (BEFORE - AFTER).tolist()
    assert values(higher).tolist() == (AFTER - BEFORE).tolist()
    assert set(lower["feature"].values) == {"age", "score0"}
    percent = units_of(path, *changes, "outcome.direction=lower", "outcome.endpoint=percent")
    assert values(percent) == pytest.approx(100 * (BEFORE - AFTER) / BEFORE)


ONE_FILE = """name: one
data:
  folder: .
  participants: {file: one.csv, features: all}
  tables: [{file: one.csv}]
  arms: {Drug A: active, Placebo: control}
outcome: {column: madrs, baseline: madrs0, direction: lower}
design: {kind: parallel}
"""


def test_one_file_of_people_and_scores_has_each_feature_once_and_no_outcome(tmp_path):
    rows = [f"s{u:02d},{['Drug A', 'Placebo'][u % 2]},{30 + u},{'no' if u % 3 else 'yes'},{u % 5},"
            f"{BEFORE[u]},{AFTER[u]}" for u in range(N)]  # fmt: skip
    header = "participant_id,treatment,age,smoker,crp,madrs0,madrs"
    (tmp_path / "one.csv").write_text("\n".join([header, *rows]) + "\n")
    (tmp_path / "study.yaml").write_text(ONE_FILE)
    units = units_of(tmp_path / "study.yaml")
    assert sorted(units["feature"].values) == ["age", "crp", "madrs0", "smoker = yes"]
    assert values(units).tolist() == (BEFORE - AFTER).tolist()
    (tmp_path / "study.yaml").write_text(
        "name: one\ndata: {table: one.csv}\n"
        "outcome: {column: madrs, baseline: madrs0, direction: lower}\n"
        "design: {kind: parallel}\n"
    )
    same = units_of(tmp_path / "study.yaml")
    assert sorted(same["feature"].values) == sorted(units["feature"].values)
    assert values(same).tolist() == values(units).tolist()


def test_the_total_of_a_scale_is_no_feature_where_its_column_is_the_outcome(tmp_path):
    path = parallel_trial(tmp_path, madrs0=BEFORE, madrs=AFTER)  # read as madrs_total
    changes = ["outcome.column=madrs", "outcome.baseline=madrs0", "outcome.direction=lower"]
    assert set(units_of(path, *changes)["feature"].values) == {"age", "madrs0"}


def test_a_responder_column_and_remission(tmp_path):
    responder = (AFTER < 15).astype(int)
    path = parallel_trial(tmp_path, responder=responder, score=AFTER)
    given = units_of(path, "outcome.column=responder", "outcome.kind=binary")
    assert values(given).tolist() == responder.tolist()
    assert given.attrs["endpoint"] == "binary"
    below = units_of(path, "outcome.column=score", "outcome.below=15")
    assert values(below).tolist() == responder.tolist()
    above = units_of(path, "outcome.column=score", "outcome.above=14")
    assert values(above).tolist() == (1 - responder).tolist()
    deaths = units_of(path, "outcome.column=responder", "outcome.kind=binary",
                      "outcome.direction=lower")  # fmt: skip
    assert values(deaths).tolist() == (1 - responder).tolist()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["outcome.column=change"], "outcome.direction: lower or higher values of change"),
        (["outcome.column=change", "outcome.scale=madrs"], "scale and column; remove one"),
        (
            ["outcome.column=change", "outcome.kind=binary", "outcome.direction=lower"],
            "expected 0 or 1",
        ),
        (["outcome.column=chnage", "outcome.direction=lower"], "did you mean 'change'"),
        (["outcome.direction=up"], "outcome.direction: unknown word, found 'up'"),
        (["outcome.endpoint=remission"], "set outcome.below or outcome.above"),
        (
            [
                "outcome.column=score",
                "outcome.baseline=zero",
                "outcome.direction=lower",
                "outcome.endpoint=response",
            ],
            "no response, because its baseline is not above 0",
        ),
        (["outcome.column=zero", "outcome.direction=lower"], "is -?0 in all 12 cases"),
    ],
)
def test_what_cannot_be_known_or_cannot_be_is_said(tmp_path, changes, words):
    path = parallel_trial(tmp_path, change=AFTER - BEFORE, score=AFTER, zero=[0] * N)
    with pytest.raises(InputError, match=words):
        units_of(path, *changes)


def test_directions_that_names_tell():
    assert Outcome("hamd").direction == Outcome("bdi_total").direction == "lower"
    assert Outcome(column="in_remission", kind="binary").direction == "higher"
    assert Outcome(column="died", kind="binary").direction == "lower"
    assert Outcome("qol").direction is None
    with pytest.raises(InputError, match="unknown endpoint, found 'improvment'; did you mean"):
        Outcome("madrs", endpoint="improvment")


def test_higher_scores_may_be_better_in_a_crossover(tmp_path):
    """The same scores with the other direction have the other sign."""
    kd.simulate_study(tmp_path, participants=12, seed=3)
    scales = kd.read_phenotype(tmp_path, ["madrs"])
    lower, higher = (
        score_units(kd.assemble(scales, outcome="madrs", direction=d), adjust="none")
        for d in ("lower", "higher")
    )
    assert higher["score"].to_numpy() == pytest.approx(-lower["score"].to_numpy(), abs=1e-8)
