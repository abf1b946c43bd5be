"""What README and documentation tell a reader to type exists, and their code blocks run."""

from __future__ import annotations

import ast
import doctest
import os
import re
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml

import ketadask
from docs.reference import contracts, homes, write_pages
from ketadask.cli.app import app
from ketadask.cli.benches import benchmark_titles
from ketadask.cli.main import run
from ketadask.cluster.profile import Profile
from ketadask.config.reading import keys, read_settings, section_fields, section_type
from ketadask.config.study import StudySettings

ROOT = Path(__file__).parents[2]
# Sections whose keys are words of the user, or that have another form, too.
OWN_WORDS = ("data.t", "data.arms.", "data.regions.columns.", "predict.grid.")
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *(ROOT / folder / "README.md" for folder in ("config", "jobs", "notebooks")),
    *sorted((ROOT / "docs").glob("*.md")),
]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in DOCUMENTS}


BLOCK = re.compile(r"^(?:<!-- (.+?) -->\n)?```([\w{}]*).*?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# A block that is not run says why; .ci/run types the blocks that are marked as a command.
REASON = re.compile(r"not run: \S.{15,}|command: \w+")


def blocks(text, language):
    return [code for _, word, code in BLOCK.findall(text) if word == language]


def blocks_to_run(text, language):
    """Return the blocks of a language without a mark that says why they are not run."""
    return [
        code
        for mark, word, code in BLOCK.findall(text)
        if word == language and not REASON.fullmatch(mark)
    ]


def unknown_commands(text):
    """Return verbs, benchmarks and modules a text names that do not exist."""
    commands = set(typer.main.get_command(app).commands)
    code = "\n".join([*blocks(text, "bash"), *re.findall(r"`([^`\n]+)`", text)])
    verbs = set(re.findall(r"(?:^|/)ketadask ([a-z][a-z-]*)", code, re.MULTILINE)) - commands
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
    studies = [yaml.safe_load(code) for code in blocks(text, "yaml")]
    names = {name for study in studies if "kind" not in study for name in flat(study)}
    names |= set(re.findall(r"--set ([a-z_.]+)=", text)) - {"a.b"}  # stands for any key
    return {name for name in names if name not in valid and not name.startswith(OWN_WORDS)}


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
def test_python_blocks_are_valid_and_files_exist(name, reference):
    for block in blocks(TEXTS[name], "python"):
        ast.parse(block)
    folder = (ROOT / name).parent
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", TEXTS[name])
    missing = [target for target in targets if not (folder / target).exists()]
    assert [target for target in missing if Path(target).name not in reference] == []


def test_a_mark_gives_a_reason():
    text = "<!-- not run: needs a queue of its own -->\n```bash\na\n```\n```bash\nb\n```\n"
    assert blocks_to_run(text, "bash") == ["b\n"]
    assert blocks_to_run(text.replace(": needs a queue of its own", ""), "bash") == ["a\n", "b\n"]


@pytest.mark.parametrize("name", TEXTS)
def test_settings_in_yaml_blocks_are_valid(name, tmp_path):
    for code in blocks_to_run(TEXTS[name], "yaml"):
        settings, file = yaml.safe_load(code), tmp_path / "settings.yaml"
        if "kind" in settings:
            file.write_text(yaml.safe_dump(settings))
            read_settings(file, Profile)
        else:
            fragment = {"name": "study", "data": {"folder": "."}} | settings
            fragment["data"] = {"folder": "."} | fragment["data"]
            if "simulate" in fragment["data"]:
                del fragment["data"]["folder"]
            file.write_text(yaml.safe_dump(fragment))
            read_settings(file, StudySettings)


def documents_to_run(language):
    return [name for name in TEXTS if blocks_to_run(TEXTS[name], language)]


@pytest.mark.slow
@pytest.mark.parametrize("name", documents_to_run("python"))
def test_python_blocks_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ketadask.simulate_study("study", participants=40)
    rng = np.random.default_rng(7)
    namespace = {"X": rng.normal(size=(60, 20)), "score": rng.normal(size=60)}
    for code in blocks_to_run(TEXTS[name], "python"):
        exec(code, namespace)


@pytest.mark.slow
@pytest.mark.parametrize("name", documents_to_run("bash"))
def test_shell_blocks_run(name, tmp_path):
    (tmp_path / "config").symlink_to(ROOT / "config")
    script = f'ketadask() {{ "{sys.executable}" -m ketadask "$@"; }}\n'
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for code in blocks_to_run(TEXTS[name], "bash"):
        script += code
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Return the generated pages by name."""
    folder = tmp_path_factory.mktemp("reference")
    write_pages(folder)
    return {page.name: page.read_text() for page in folder.iterdir()}


def test_the_reference_names_every_command_key_column_and_function(reference, capsys):
    text = reference["commands.md"]
    for name, command in typer.main.get_command(app).commands.items():
        options = [option for each in command.params for option in each.opts if "-" in option]
        words = [f"## ketadask {name}\n", *options] if not command.hidden else []
        assert [word for word in words if word not in text] == []
    assert run(["keys", "--all"]) == 0
    assert capsys.readouterr().out == reference["keys.md"]
    for model in (StudySettings, Profile):
        assert [key for key in keys(model) if f"`{key}`" not in reference["keys.md"]] == [
            key for key, field in section_fields(model).items() if section_type(field.annotation)
        ]
    found = list(contracts())
    assert len(found) > 10
    for contract in found:
        names = [*getattr(contract, "columns", ()), *getattr(contract, "variables", ())]
        assert names
        assert [name for name in names if f"| `{name}` |" not in reference["columns.md"]] == []
    assert [name for name in homes() if f"   {name}\n" not in reference["python.rst"]] == []


def test_every_public_name_has_an_example_that_runs():
    finder = doctest.DocTestFinder(recurse=False)
    without = [
        name
        for name in homes()
        if not any(test.examples for test in finder.find(attrgetter(name)(ketadask), name))
    ]
    assert without == []
