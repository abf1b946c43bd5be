"""Importing ketadask is fast and changes nothing; asking for help loads nothing heavy."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ketadask

HEAVY = ("distributed", "matplotlib", "mne", "numba")
TABLES = ("pandas", "xarray")


def loaded_by(code):
    """Return the modules that a fresh interpreter has loaded after running ``code``."""
    code = f"{code}\nimport json, sys; print('\\n' + json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(found.stdout.splitlines()[-1]))


def help_code(*arguments):
    """Return code that runs ``python -m ketadask`` with arguments, in the same interpreter."""
    return (
        "import contextlib, runpy, sys\n"
        f"sys.argv = ['ketadask', *{arguments!r}]\n"
        "with contextlib.suppress(SystemExit):\n"
        "    runpy.run_module('ketadask', run_name='__main__')"
    )


def test_the_check_can_fail():
    assert "matplotlib" in loaded_by("import matplotlib")


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_by("import ketadask")
    assert "ketadask" in loaded
    assert loaded.isdisjoint((*HEAVY, *TABLES, "numpy", "dask"))


@pytest.mark.parametrize("floor", ["names", "schema", "config", "store", "cli"])
def test_light_floors_load_nothing_heavy(floor):
    assert loaded_by(f"import ketadask.{floor}").isdisjoint(HEAVY)


@pytest.mark.parametrize("verb", [(), ("run",), ("status",), ("simulate",), ("check",)])
def test_help_loads_nothing_heavy(verb):
    loaded = loaded_by(help_code(*verb, "--help"))
    assert "ketadask.cli" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_python_m_and_the_command_give_the_same_help():
    command = "import sys; from ketadask.cli import main; sys.argv = ['ketadask', '--help']; main()"
    one, two = (
        subprocess.run([sys.executable, *how], capture_output=True, text=True, check=True).stdout
        for how in (("-m", "ketadask", "--help"), ("-c", command))
    )
    assert "Usage: ketadask" in two
    assert one.replace("python -m ketadask", "ketadask") == two


def test_importing_the_package_changes_nothing_global():
    code = (
        "import locale, logging, os, signal, threading, warnings\n"
        "def state():\n"
        "    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]\n"
        "    return (list(warnings.filters), logging.root.level, logging.root.handlers[:],\n"
        "            dict(os.environ), locale.setlocale(locale.LC_ALL), handlers,\n"
        "            threading.active_count(), os.getcwd())\n"
        "before = state()\n"
        "import ketadask, ketadask.schema, ketadask.names, ketadask.config\n"
        "assert state() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ketadask.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ketadask, name) is not None
    assert name in dir(ketadask)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'persona_search'"):
        _ = ketadask.persona_search
    with pytest.raises(AttributeError, match="'units'; it is now 'score_units'"):
        _ = ketadask.units


def test_the_stub_names_the_home_of_every_public_name():
    stub = Path(ketadask.__file__).with_name("__init__.pyi").read_text()
    homes = {
        alias.asname: node.module
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted([*homes, "__version__"]) == sorted(ketadask.__all__)
    assert homes.pop("plot") == "ketadask"
    for name, module in homes.items():
        assert getattr(ketadask, name).__module__ == module
