"""Wheel and sdist: complete, and the demo runs from the wheel in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def call(*words: object, folder: Path) -> str:
    environment = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_citation_and_recipes_have_the_version_and_the_dependencies():
    from ketadask import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (__version__, PROJECT["license"])
    assert [author["name"] for author in citation["authors"]] == ["ketadask developers"]
    assert citation.get("repository-code") == PROJECT.get("urls", {}).get("Repository")
    assert PROJECT["authors"] == [{"name": "ketadask developers"}]
    recipe = (ROOT / "containers" / "recipe.yaml").read_text()
    assert f'version: "{__version__}"' in recipe
    for word in PROJECT["dependencies"]:
        name, _, bound = word.partition(">=")
        assert re.search(rf"- {name}(-core|-base)? >={re.escape(bound)}\n", recipe), word


def test_containers_install_the_checkout_with_the_tested_versions():
    for name in ("Dockerfile", "ketadask.def"):
        text = (ROOT / "containers" / name).read_text()
        assert "-c config/constraints.txt" in text
        assert "python:3.11-slim" in text
        extras = re.search(r"'\.\[(.+)\]'", text).group(1).split(",")
        assert set(extras) == set(PROJECT["optional-dependencies"]) - {"dev", "docs", "test"}


@pytest.fixture(scope="module")
def distribution(tmp_path_factory):
    """Build wheel and sdist; return their folder."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--outdir", folder, ROOT, folder=folder)
    return folder


@pytest.mark.slow
def test_wheel_and_sdist_are_complete(distribution):
    files = sorted(distribution.iterdir())
    assert [file.suffix for file in files] == [".whl", ".gz"]
    call(sys.executable, "-m", "twine", "check", "--strict", *files, folder=distribution)
    call(sys.executable, "-m", "check_wheel_contents", files[0], folder=distribution)
    wheel = set(zipfile.ZipFile(files[0]).namelist())
    tracked = call("git", "ls-files", "ketadask", folder=ROOT).splitlines()
    assert set(tracked) - wheel == set()
    assert "ketadask/shipped/demo.yaml" in wheel
    with tarfile.open(files[1]) as archive:
        sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "docs/index.md", "conftest.py", "config/demo.yaml"} <= sdist


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_in_an_empty_folder(distribution, tmp_path):
    wheel = next(distribution.glob("*.whl"))
    call(sys.executable, "-m", "venv", "env", folder=tmp_path)
    constraints = ROOT / "config" / "constraints.txt"
    call("env/bin/pip", "install", "-q", "-c", constraints, f"{wheel}[meg]", folder=tmp_path)
    assert "demo " in call("env/bin/ketadask", "configs", folder=tmp_path)
    call("env/bin/ketadask", "configs", "--copy", "mine", folder=tmp_path)
    small = ["--set", "splits.count=20", "--set", "null.relabellings=39"]
    printed = call("env/bin/ketadask", "run", "demo", *small, folder=tmp_path)
    report = tmp_path / printed.splitlines()[-1]
    assert "MEG recordings</h2>" in report.read_text()
