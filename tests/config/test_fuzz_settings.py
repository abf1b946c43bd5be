"""Mutated settings and profiles give values or a clear error: no traceback, no hang."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketadask.cluster.profile import Profile
from ketadask.config.reading import read_settings
from ketadask.config.study import StudySettings
from ketadask.schema.errors import InputError
from tests.conftest import ROOT

STUDY = (ROOT / "config" / "demo.yaml").read_text()
PROFILE = (ROOT / "config" / "cluster" / "slurm.yaml").read_text()
PIECES = ["\n", "  ", "- ", ": ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "!!python/object:os "]
PIECES += [
    "#",
    "null",
    "~",
    "1e999",
    ".nan",
    "-1",
    "0x1F",
    "1_000",
    "9" * 400,
    "'",
    '"',
    "\t",
    "\0",
]
PIECES += ["|\n", "?", "2026-11-22", "12:30:45", "!!binary aa", "\ufeff", "\u2028", "\x85", "yes"]
PIECES += ["%YAML 1.1\n---\n"]


@st.composite
def mutations(draw, original):
    """Cut, double, overwrite and insert pieces of a good file."""
    text = original
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, len(text)))
        last = draw(st.integers(first, min(len(text), first + 60)))
        pieces = st.one_of(st.sampled_from(PIECES), st.text(max_size=4))
        new = draw(st.one_of(pieces, st.just(text[first:last])))
        text = text[: draw(st.sampled_from([first, last]))] + new + text[last:]
    return text


def check(folder, model, text):
    path = folder / "fuzz.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        assert isinstance(read_settings(path, model), model)
        return
    except InputError as error:
        text = str(error)
    assert text.strip()
    assert len(text) < 20_000


def fuzz(model, original, folder, inputs):
    @settings(deadline=None, max_examples=inputs, database=None)
    @given(mutations(original))
    def all_of_them(text):
        check(folder, model, text)

    check(folder, model, original)
    all_of_them()


CASES = {"study": (StudySettings, STUDY), "profile": (Profile, PROFILE)}


@pytest.mark.parametrize("name", CASES)
def test_mutated_settings(tmp_path, name):
    fuzz(*CASES[name], tmp_path, 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_three_thousand_mutated_settings(tmp_path, name):
    fuzz(*CASES[name], tmp_path, 3_000)
