"""Keys: the reference, the schema for editors, and what shells complete follow the settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from ketadask.cli.main import run
from ketadask.cluster.profile import Profile
from ketadask.config.reading import keys
from ketadask.config.reference import PROFILE_SCHEMA, STUDY_SCHEMA, describe_keys, schema_text
from ketadask.config.study import StudySettings
from ketadask.config.yaml_text import read_mapping

ROOT = Path(__file__).parents[2]
YAML_FILES = sorted((ROOT / "config").rglob("*.yaml"))
MODELS = {STUDY_SCHEMA: StudySettings, PROFILE_SCHEMA: Profile}
NAMED = "# yaml-language-server: $schema="


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.name)
def test_the_schema_files_are_those_of_the_settings(file, capsys):
    option = ["--profile"] if MODELS[file] is Profile else []
    assert run(["keys", "--schema", *option]) == 0
    remedy = f"run `ketadask keys --schema {' '.join(option)} > {file.relative_to(ROOT)}`"
    assert file.read_text() == capsys.readouterr().out == schema_text(MODELS[file]), remedy


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.__name__)
def test_every_key_is_described(model):
    text = describe_keys(model)
    missing = [key for key in keys(model) if f"`{key}`" not in text and f"## {key}:" not in text]
    assert missing == []
    assert len(list(keys(model))) > 30


def test_sections_keys_and_unknown_ones(capsys):
    assert run(["keys"]) == 0
    assert "splits     splits into train and holdout" in capsys.readouterr().out
    assert run(["keys", "splits"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("## splits: ")
    assert "- `splits.train_size`: fraction of units in the training set (number, above 0, " in text
    assert "gates" not in text
    assert run(["keys", "job.walltime", "--profile"]) == 0
    assert "04:00:00" in capsys.readouterr().out
    assert run(["keys", "spilts"]) == 2
    assert "did you mean 'splits'?" in capsys.readouterr().err
    assert run(["keys", "splits", "--all"]) == 2


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_every_shipped_file_names_its_schema_and_keeps_it(path):
    line = path.read_text().splitlines()[0]
    assert line.startswith(NAMED)
    file = (path.parent / line.removeprefix(NAMED)).resolve()
    validator = jsonschema.Draft202012Validator(json.loads(file.read_text()))
    values = read_mapping(path)
    assert [error.message for error in validator.iter_errors(values)] == []
    assert list(validator.iter_errors(values | {"unheard": 1}))


def completions(words):
    """Return what bash offers for the last word of a command line."""
    environment = os.environ | {
        "_KETADASK_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    process = subprocess.run(
        [sys.executable, "-c", "from ketadask.cli.app import app; app(prog_name='ketadask')"],
        capture_output=True, text=True, env=environment, cwd=ROOT, check=False,
    )  # fmt: skip
    return process.stdout.split()


def test_a_shell_completes_commands_sections_and_keys():
    assert "keys" in completions(["ketadask", "ke"])
    assert completions(["ketadask", "keys", "splits.st"]) == ["splits.stratify", "splits.stop"]
    assert completions(["ketadask", "run", "a.yaml", "--set", "gates.u"]) == ["gates.use="]
