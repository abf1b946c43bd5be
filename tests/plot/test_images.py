"""Every figure: what it draws, where its labels are, and its picture in coarse grey."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import ketadask as kd
from ketadask.plot.style import TITLE

PICTURES = Path(__file__).parent / "pictures.json"
LONG = "Left posterior cingulate white matter ≤ 4,533.7 mm³ and BDI item 10 above 1"
TOLERANCE = 6.0  # of 255 grey levels, on average; a missing curve or label is more
GRID = (12, 24)


def effects():
    return pd.DataFrame(
        {
            "label": ["trial 1", "trial 2", "not estimated here", "all trials", "new trial"],
            "effect": [3.0, 8.0, np.nan, 5.0, np.nan],
            "low": [1.0, -2.0, np.nan, 2.0, -1.0],
            "high": [5.0, 30.0, np.nan, 8.0, 11.0],
            "kind": ["estimate", "hollow", "estimate", "mean", "prediction"],
            "weight": [0.7, 0.2, 0.1, np.nan, np.nan],
        }
    )


def verdicts():
    return pd.DataFrame(
        {
            "rank": [2, 1],
            "polarity": ["unfavourable", "favourable"],
            "text": ["sex = f", LONG],
            "features": ["sex", "volume"],
            "difference": [-5.0, 8.0],
            "difference_low": [np.nan, 2.0],
            "difference_high": [np.nan, 11.0],
            "difference_shrunken": [np.nan, 7.0],
            "t": [3.1, 5.2],
            "p_single_step": [0.4, 0.01],
        }
    )


def nulls():
    return pd.DataFrame({"relabelling": range(99), "t": np.linspace(2.0, 4.0, 99)})


def stability():
    table = pd.DataFrame({"feature": ["age", LONG], "frequency": [0.4, 0.8]})
    table = table.assign(low=table["frequency"] - 0.1, high=table["frequency"] + 0.1)
    return pd.concat([table.assign(polarity=p) for p in ("favourable", "unfavourable")])


def courses():
    day, arm, person = (a.ravel() for a in np.meshgrid([0, 7, 28], [0, 1], range(6)))
    return pd.DataFrame(
        {
            "participant": [f"p{p}" for p in person],
            "period": 1,
            "day": day,
            "arm": np.array(["active", "control"])[arm],
            "score": 30.0 - day * (1 - arm) * (person < 3) + person,
        }
    )


def power():
    table = pd.DataFrame({"participants": [30, 60, 120], "power": [0.2, 0.5, 0.9]})
    table = table.assign(power_low=table["power"] - 0.1, power_high=table["power"] + 0.1)
    return pd.concat([table.assign(effect=e, features=f) for e, f in ((0.8, 20), (0.8, 60))])


def spectra():
    hz = np.linspace(1.0, 120.0, 400)
    one = pd.DataFrame({"recording": "a", "frequency": hz, "density": 400 / hz})
    line = one.assign(recording="c", density=400 / hz + 300.0 * (abs(hz - 50) < 0.5))
    return pd.concat([one, one.assign(recording="b", density=200 / hz), line])


CURVE = pd.DataFrame({"coverage": [0.2, 0.6, 1.0], "accuracy": [0.9, 0.7, 0.6]}).assign(
    null_mean=0.5, null_low=0.4, null_high=0.6
)
FLOW = [
    ("80 participants assessed", ["3 participants: no outcome at day 7", "2: one period only"]),
    ("75 participants with 150 cases in the cohort (75 active, 75 control)", []),
    ("75 participants searched", []),
]
INSIDE = pd.Series({f"p{k}": k < 3 for k in range(6)})
MEMBERS = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], bool)
FIGURES = {
    "courses": lambda ax=None: kd.plot.courses(courses(), INSIDE, ax=ax),
    "flow": lambda ax=None: kd.plot.flow(FLOW, ax=ax),
    "forest": lambda ax=None: kd.plot.forest(effects(), ax=ax),
    "null": lambda ax=None: kd.plot.null(nulls(), verdicts(), critical=4.1, ax=ax),
    "overlap": lambda ax=None: kd.plot.overlap(MEMBERS, ["#1", "#2", "#3"], ax=ax),
    "personas": lambda ax=None: kd.plot.personas(verdicts(), ax=ax),
    "power": lambda ax=None: kd.plot.power(power(), ax=ax),
    "risk_coverage": lambda ax=None: kd.plot.risk_coverage(CURVE, ax=ax),
    "spectra": lambda ax=None: kd.plot.spectra(spectra(), flags={"c": "c: mains"}, ax=ax),
    "stability": lambda ax=None: kd.plot.stability(stability(), ax=ax),
    "waterfall": lambda ax=None: kd.plot.waterfall(
        np.linspace(9, -6, 16), np.r_[np.ones(6), np.nan, np.zeros(9)], ax=ax
    ),
}


@pytest.fixture(params=FIGURES)
def drawn(request):
    """Name and figure of each function."""
    axes = FIGURES[request.param]()
    axes = axes if isinstance(axes, np.ndarray) else np.array([axes])
    figure = axes[0].get_figure(root=True)
    yield request.param, figure
    plt.close(figure)


def grey_blocks(figure):
    """Return the mean grey of the blocks of a picture."""
    stream = io.BytesIO()
    with mpl.rc_context({"savefig.facecolor": "white"}):
        figure.savefig(stream, format="png", dpi=48)
    stream.seek(0)
    grey = 255 * matplotlib.image.imread(stream)[..., :3].mean(axis=2)
    rows, columns = (np.array_split(np.arange(n), g) for n, g in zip(grey.shape, GRID, strict=True))
    return np.array([[grey[np.ix_(r, c)].mean() for c in columns] for r in rows]).round(1)


def test_pictures_are_as_they_were(drawn):
    name, figure = drawn
    expected = json.loads(PICTURES.read_text())
    assert set(expected) == set(kd.plot.__all__) - {"brain"}
    assert np.abs(grey_blocks(figure) - np.array(expected[name])).mean() < TOLERANCE / 4


def test_a_picture_without_its_curves_differs(drawn):
    name, figure = drawn
    for axes in figure.axes:
        axes.clear()
    difference = np.abs(grey_blocks(figure) - np.array(json.loads(PICTURES.read_text())[name]))
    assert difference.mean() > TOLERANCE / 4


def test_no_label_is_cut(drawn):
    figure = drawn[1]
    figure.canvas.draw()
    content, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert -0.02 < content.x0 < content.x1 < width + 0.02
    assert -0.02 < content.y0 < content.y1 < height + 0.02


def test_axes_go_in_and_out(drawn):
    name = drawn[0]
    figure, axes = plt.subplots(1, 2)
    given = axes if name == "courses" else axes[0]
    assert FIGURES[name](given) is given
    plt.close(figure)


def test_figures_leave_the_defaults_of_matplotlib():
    before = dict(mpl.rcParams)
    plt.close(kd.plot.power(power()).figure)
    assert dict(mpl.rcParams) == before


def hints(axes):
    return [
        str(a.get_label()).removeprefix(TITLE)
        for a in axes.findobj(lambda a: str(a.get_label()).startswith(TITLE))
    ]


def test_forest_clips_long_intervals_and_says_what_is_not_estimated():
    axes = kd.plot.forest(effects())
    assert "not estimated" in [t.get_text() for t in axes.texts]
    assert "8.0 (−2.0 to 30.0)" in [t.get_text() for t in axes.texts]
    assert axes.get_xlim()[1] < 30
    assert [line.get_marker() for line in axes.lines].count(">") == 1
    assert hints(axes)[0] == "trial 1: 3.0 (1.0 to 5.0)"
    plt.close(axes.figure)


def test_waterfall_is_sorted_and_names_means():
    score = np.array([3.0, -1.0, 6.0, 0.0])
    axes = kd.plot.waterfall(score, np.array([1.0, np.nan, 1.0, 0.0]))
    height = {round(p.get_x() + 0.43): p.get_height() for p in axes.patches}
    assert [height[k] for k in range(4)] == sorted(score, reverse=True)
    texts = [t.get_text() for t in axes.get_legend().get_texts()]
    assert texts == [
        "inside (n = 2, mean 4.5)",
        "outside (n = 1, mean 0.0)",
        "unknown (n = 1, mean −1.0)",
    ]
    with pytest.raises(kd.InputError, match="membership is needed for each score"):
        kd.plot.waterfall(score)
    plt.close(axes.figure)


def test_courses_leave_out_single_participants():
    inside = pd.Series({f"p{k}": k < 1 for k in range(6)})
    table = kd.plot.courses(courses(), inside)
    assert [hints(axes) != [] for axes in table] == [False, True]
    assert "outside, active, day 0: 33.0, 5 cases" in hints(table[1])
    plt.close(table[0].figure)


def test_null_compares_only_personas_that_can_be_supported():
    rows = verdicts().assign(p_single_step=[1.0, 0.01])
    axes = kd.plot.null(nulls(), rows)
    assert [t.get_text() for t in axes.texts] == ["favourable 5.20"]
    plt.close(axes.figure)


def test_anything_else_is_refused(tmp_path):
    with pytest.raises(kd.InputError, match="needs the verdicts of a study"):
        kd.plot.personas(3.0)
    with pytest.raises(kd.InputError, match="not a run folder"):
        kd.plot.stability(tmp_path)


def test_figures_leave_a_notebook_as_it_was_set_up(monkeypatch):
    monkeypatch.setattr(plt, "subplots", lambda *a, f=plt.subplots, **k: (plt.ion(), f(*a, **k))[1])
    monkeypatch.setitem(mpl.rcParams, "interactive", False)
    kd.plot.forest(effects())
    assert mpl.is_interactive()  # as the backend of a notebook is from its first figure on
    plt.close("all")


def test_labels_of_a_bare_table_come_from_a_cohort_or_a_dictionary():
    text, low = ["bdi_10 >= 1 and hv <= 4550 (4547.1 | 4571.3)"], [2.0]
    table = pd.DataFrame({"rank": [1], "text": text, "features": ["bdi_10 | hv"]})
    table = table.assign(difference=8.0, difference_low=low, difference_high=11.0)
    table["difference_shrunken"] = 7.0
    labels = {"bdi_10": "crying", "hv": "hippocampus"}
    units = xr.Dataset(coords={"feature": list(labels), "label": ("feature", [*labels.values()])})
    expected = {None: "bdi_10 ≥ 1 and hv ≤ 4550", "dict": "crying ≥ 1 and hippocampus ≤ 4550"}
    for source in (None, labels, units, SimpleNamespace(dataset=units)):
        ax = kd.plot.personas(table, labels=source)
        (name,) = [text.get_text().replace("\n", " ") for text in ax.get_yticklabels()]
        assert expected[None if source is None else "dict"] in name
