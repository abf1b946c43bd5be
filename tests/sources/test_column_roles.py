"""Roles of columns are guessed as a statistician reads the headers of published tables."""

from pathlib import Path

import numpy as np
import pytest

from ketadask.schema.errors import InputError
from ketadask.sources.arm_words import check_arms, guess_arms
from ketadask.sources.cells import Cells
from ketadask.sources.column_roles import guess_roles

RNG = np.random.default_rng(3)


def table(n, **columns):
    """Return cells of ``n`` rows: a list of levels is drawn from, a function gives each row."""
    text = {
        name: [str(make(row)) for row in range(n)]
        if callable(make)
        else RNG.choice(np.array(make, dtype=str), n).tolist()
        for name, make in columns.items()
    }
    return Cells(Path("trial.csv"), text, range(2, n + 2))


def roles(cells, **columns):
    return {e.column: e.role for e in guess_roles(cells, columns).columns}


YEARS, SCORES = list(range(18, 70)), list(range(0, 50))
ANOREXIA = {"rownames": lambda i: i + 1, "Treat": ["CBT", "Cont", "FT"], "Prewt": SCORES,
            "Postwt": SCORES}  # fmt: skip
EPIL = {
    "y": SCORES,
    "trt": lambda i: ["placebo", "progabide"][i // 4 % 2],
    "base": lambda i: 10 + i // 4,
    "age": lambda i: 20 + i // 4,
    "subject": lambda i: i // 4,
    "period": lambda i: i % 4 + 1,
}
CROSSOVER = {
    "subject": lambda i: i // 4,
    "period": lambda i: i // 2 % 2 + 1,
    "arm": lambda i: "DP"[(i // 2 + i // 4) % 2],
    "day": lambda i: [0, 7][i % 2],
    "madrs_1": SCORES,
    "smoker": lambda i: ["yes", "no"][i // 4 % 2],
}
BEAT_THE_BLUES = {"drug": ["Yes", "No"], "treatment": ["TAU", "BtheB"],
                  **{f"bdi.{when}": SCORES for when in ("pre", "2m", "8m")}}  # fmt: skip
SURVIVAL = {"horTh": ["yes", "no"], "tgrade": ["I", "II", "III"], "time": SCORES, "cens": [0, 1]}


@pytest.mark.parametrize(
    ("columns", "n", "layout", "design", "expected"),
    [
        (ANOREXIA, 60, "participant", "parallel",
         {"rownames": "row", "Treat": "arm", "Prewt": "baseline", "Postwt": "outcome"}),
        (EPIL, 80, "visit", "parallel",
         {"y": "outcome", "trt": "arm", "base": "baseline", "age": "feature",
          "subject": "participant", "period": "day"}),
        (CROSSOVER, 80, "visit", "crossover",
         {"subject": "participant", "period": "period", "arm": "arm", "day": "day",
          "madrs_1": "score", "smoker": "category"}),
        (BEAT_THE_BLUES, 60, "participant", "parallel",
         {"drug": "category", "treatment": "arm", "bdi.pre": "baseline", "bdi.2m": "follow-up",
          "bdi.8m": "outcome"}),
        (SURVIVAL, 60, "participant", "parallel",
         {"horTh": "category", "tgrade": "category", "time": "time", "cens": "event"}),
    ],
)  # fmt: skip
def test_published_headers(columns, n, layout, design, expected):
    guess = guess_roles(table(n, **columns))
    assert (guess.layout, guess.design) == (layout, design)
    assert {e.column: e.role for e in guess.columns} == expected
    assert all(entry.reason for entry in guess.columns)


def test_what_came_after_treatment_is_no_feature():
    cells = table(40, id=lambda i: i, arm=["D", "P"], change=SCORES, responder=[0, 1],
                  dropout=[0, 1], pain_week_6=SCORES, age=YEARS)  # fmt: skip
    after = {"responder": "follow-up", "dropout": "follow-up", "pain_week_6": "follow-up"}
    assert roles(cells) == {"id": "participant", "arm": "arm", "change": "outcome",
                            "age": "feature", **after}  # fmt: skip


def test_text_dates_and_constants_have_a_reason():
    cells = table(30, id=lambda i: i, arm=["D", "P"], note=lambda i: f"comment {i}", country=["DE"],
                  seen=lambda i: f"2024-01-{i + 1:02d}", empty=lambda i: "")  # fmt: skip
    guess = guess_roles(cells).by_column
    assert guess["note"].role == "text"
    assert guess["note"].reason == "text of 30 different values"
    assert (guess["country"].role, guess["country"].reason) == ("constant", "has one value")
    assert (guess["seen"].role, guess["empty"].reason) == ("date", "is empty")


def test_a_role_of_the_settings_is_not_guessed():
    cells = table(40, id=lambda i: i, treat=["D", "P"], arms=["0", "1"], age=YEARS)
    assert roles(cells)["treat"] == "arm"
    assert roles(cells, arm="arms")["arms"] == "arm"
    assert roles(cells, arm="arms")["treat"] == "category"
    with pytest.raises(InputError, match="no column 'tret'; did you mean 'treat'"):
        guess_roles(cells, {"arm": "tret"})


def test_the_control_is_read_from_the_values_or_left_to_a_person():
    assert guess_arms(["KET", "MDZ"])[1] == "neither KET nor MDZ is a word for a control"
    assert guess_arms(["1", "2"])[1]
    assert guess_arms(["ketamine", "midazolam"]) == (
        {"ketamine": "active", "midazolam": "control"}, "")  # fmt: skip
    arms, doubt = guess_arms(["high", "low", "placebo"])
    assert arms == {"high": "active", "low": "", "placebo": "control"}
    assert doubt == "high is compared with placebo; left out: low"


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ({"A": "active"}, "no value of the column trt is the control arm.*one control of A, B"),
        ({"A": "drug", "B": "control"}, "data.arms.A: unknown arm, found 'drug'; write active or"),
        ({"a ": "active", "B": "control"}, "no row has this arm, found 'a '"),
    ],
)
def test_a_wrong_map_of_arms_names_column_value_and_remedy(arms, message):
    with pytest.raises(InputError, match=message):
        check_arms(["A", "B"], arms, file="trial.csv", column="trt")
