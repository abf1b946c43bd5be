"""Names are nouns and verbs of the field, and each belongs to one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ketadask"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_PARTICIPLES = 0.01

BANNED = {
    *("made", "told", "asked", "wanted", "ended", "seen", "shown", "given", "known", "held"),
    *("kept", "begun", "spent", "posed", "dealt", "foretold", "found", "each", "thing", "pose"),
    *("look", "room", "place", "story", "how", "whole", "number", "share"),
}
IRREGULAR = {
    *("taken", "drawn", "chosen", "done", "written", "built", "bought", "brought", "caught"),
    *("gone", "laid", "meant", "paid", "sent", "sold", "sought", "taught", "thrown", "won"),
}
# Words in -ed that are nouns, verbs or adjectives of their own.
OTHERS = {"seed", "need", "feed", "speed", "red", "bed", "exceed", "proceed", "hundred", "embed"}


def is_participle(name):
    """Return whether the last word of a name, its noun, is a participle or a banned word."""
    words = [word for word in name.strip("_").lower().split("_") if word]
    if not words or name.startswith("__"):
        return False
    last = words[-1]
    return last in BANNED | IRREGULAR or (
        last.endswith("ed") and len(last) > 3 and last not in OTHERS
    )


def names_of(tree):
    """Yield the names a module gives to functions, classes, arguments, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


@pytest.mark.parametrize("name", ["made", "units_found", "_ended", "selected", "DRAWN", "each"])
def test_participles_are_refused(name):
    assert is_participle(name)


@pytest.mark.parametrize("name", ["adjusted_p", "seed", "centred_scores", "n_units", "_"])
def test_nouns_and_adjectives_pass(name):
    assert not is_participle(name)


def test_local_names_are_no_participles():
    names = [
        (name, path.relative_to(PACKAGE).as_posix())
        for path in MODULES
        for name in names_of(ast.parse(path.read_text()))
    ]
    wrong = [(name, path) for name, path in names if is_participle(name)]
    assert len(names) > 10_000
    assert len(wrong) < MOST_PARTICIPLES * len(names), sorted(wrong)


def public_homes(sources):
    """Return the modules that define each public function or class, by its name."""
    homes = defaultdict(list)
    for module, text in sources.items():
        for node in ast.parse(text).body:
            is_definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if is_definition and not node.name.startswith("_") and node.name != "main":
                homes[node.name].append(module)
    return homes


def test_homonyms_are_recognised():
    homes = public_homes(
        {"a": "def f(): ...\ndef main(): ...", "b": "class f: ...\ndef main(): ..."}
    )
    assert homes == {"f": ["a", "b"]}


def test_no_two_public_definitions_share_a_name():
    sources = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in MODULES}
    homes = public_homes(sources)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}
