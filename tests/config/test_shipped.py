"""Studies and profiles that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from ketadask.cli.main import run
from ketadask.cluster.profile import Profile
from ketadask.config.reading import read_settings
from ketadask.config.shipped import config_title, copy_configs, find_config, shipped_configs
from ketadask.config.study import read_study
from ketadask.schema.errors import InputError


def test_every_file_is_listed_with_a_sentence(capsys):
    assert run(["configs"]) == 0
    listed = capsys.readouterr().out
    for name, file in shipped_configs().items():
        assert len(config_title(file)) > 15
        assert f"{name} " in listed


def test_copies_are_valid_and_replace_nothing(tmp_path):
    copies = copy_configs(tmp_path / "mine")
    assert len(copies) == len(shipped_configs()) > 6
    for copy in copies:
        first = copy.read_text().splitlines()[0]
        assert Path(first.partition("schema=")[2]).is_file()
        if copy.parent.name == "cluster":
            read_settings(copy, Profile)
        else:
            read_study(copy)
    with pytest.raises(InputError, match=r"laptop.yaml: is there already; choose another folder"):
        copy_configs(tmp_path / "mine")


def test_a_file_of_the_user_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(Path("demo")) == find_config(Path("demo.yaml")) == shipped_configs()["demo"]
    Path("demo.yaml").write_text("name: mine\n")
    assert find_config(Path("demo.yaml")) == Path("demo.yaml")
    assert find_config(Path("none.yaml")) == Path("none.yaml")
