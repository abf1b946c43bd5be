"""A floor imports only from floors below it, and the check of that can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)


def lint(folder):
    """Check the contracts of the tree in ``folder``: whether they are kept, and what is said."""
    found = subprocess.run(
        [sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False
    )
    return found.returncode == 0, found.stdout + found.stderr


@pytest.fixture
def tree(tmp_path):
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ketadask", tmp_path / "ketadask", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_are_kept():
    kept, said = lint(ROOT)
    assert kept, said


def test_an_unchanged_copy_keeps_them(tree):
    kept, said = lint(tree)
    assert kept, said


@pytest.mark.parametrize(
    ("floor", "line", "named"),
    [
        ("names.py", "from ketadask.schema import InputError", "ketadask.names -> ketadask.schema"),
        ("kernels", "import ketadask.schema", "ketadask.kernels"),
        ("store", "from ketadask.search import literals", "ketadask.store"),
        ("search", "from ketadask import study", "ketadask.search"),
        ("bench", "from ketadask import study", "ketadask.bench"),
        ("report", "def late():\n    import ketadask.cluster", "ketadask.report"),
        ("kernels", "import pandas", "Kernels know arrays only BROKEN"),
        ("inference", "import distributed", "The scheduler is reached through cluster only BROKEN"),
    ],
)
def test_a_planted_import_breaks_them(tree, floor, line, named):
    place = tree / "ketadask" / floor
    file = place if place.is_file() else place / "planted.py"
    file.write_text(f'"""Planted."""\n\n{line}\n')
    kept, said = lint(tree)
    assert not kept
    assert named in said
    assert "BROKEN" in said


def test_a_floor_that_is_not_in_the_contract_breaks_them(tree):
    (tree / "ketadask" / "attic.py").write_text('"""Planted."""\n')
    kept, said = lint(tree)
    assert not kept
    assert "attic" in said
