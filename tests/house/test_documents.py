"""What README and guides tell a reader to type exists: commands, keys, functions and files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import typer
import yaml

import ketadask
from ketadask.cli.app import app
from ketadask.cli.benches import benchmark_titles
from ketadask.config.reading import keys
from ketadask.config.study import StudySettings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", *(f"{d}/README.md" for d in
             ("config", "jobs", "notebooks")))]  # fmt: skip
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in DOCUMENTS}


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def unknown_commands(text):
    """Return verbs, benchmarks and modules a text names that do not exist."""
    commands = set(typer.main.get_command(app).commands)
    code = "\n".join([*blocks(text, "bash"), *re.findall(r"`([^`\n]+)`", text)])
    verbs = set(re.findall(r"(?:^|/)ketadask ([a-z-]+)", code, re.MULTILINE)) - commands
    benches = set(re.findall(r"ketadask bench ([a-z]+)", text)) - set(benchmark_titles())
    modules = {
        name
        for name in re.findall(r"python -m (tests\.[a-z_.]+[a-z_])", re.sub(r"\s+", " ", text))
        if not any((ROOT / (name.replace(".", "/") + end)).exists() for end in ("", ".py"))
    }
    return verbs | benches | modules


def flat(mapping, prefix=""):
    """Yield the dotted names of a nested mapping; items of lists count without a position."""
    for name, value in mapping.items():
        yield f"{prefix}{name}"
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from flat(item, f"{prefix}{name}.")


def unknown_keys(text):
    """Return the keys of study settings in YAML blocks and ``--set`` that no study has."""
    valid = set(keys(StudySettings))
    names = {name for block in blocks(text, "yaml") for name in flat(yaml.safe_load(block))}
    names |= set(re.findall(r"--set ([a-z_.]+)=", text)) - {"a.b"}  # stands for any key
    return {name for name in names if name not in valid and not name.startswith("data.t")}


def unknown_functions(text):
    """Return the names after ``kd.`` that the package does not offer."""
    return set(re.findall(r"\bkd\.([a-z_]\w*|[A-Z]\w*)", text)) - set(ketadask.__all__)


def test_what_does_not_exist_is_recognised():
    text = "`ketadask runn x`, `python -m tests.benchmarks.no_such`, `ketadask bench nothing`"
    assert unknown_commands(text) == {"runn", "tests.benchmarks.no_such", "nothing"}
    assert unknown_keys("```yaml\nsplits: {cout: 3}\n```\n--set seeds=1") == {
        "splits.cout",
        "seeds",
    }
    assert unknown_functions("kd.report(kd.judge)") == {"report"}


@pytest.mark.parametrize("name", TEXTS)
def test_commands_keys_and_functions_exist(name):
    text = TEXTS[name]
    assert unknown_commands(text) == set()
    assert unknown_keys(text) == set()
    assert unknown_functions(text) == set()


@pytest.mark.parametrize("name", TEXTS)
def test_python_blocks_are_valid_and_files_exist(name):
    for block in blocks(TEXTS[name], "python"):
        ast.parse(block)
    folder = (ROOT / name).parent
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", TEXTS[name])
    assert [target for target in targets if not (folder / target).exists()] == []
