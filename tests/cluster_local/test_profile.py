"""Profiles: errors name the key and its remedy; every key has a description."""

from __future__ import annotations

from pathlib import Path

import pytest

from ketadask.cluster.profile import HeadJobSettings, JobSettings, Profile, Resources, Stages
from ketadask.config.reading import read_settings
from ketadask.schema.errors import InputError

FOLDER = Path(__file__).parents[2] / "config" / "cluster"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: locl\n", ["kind", "did you mean 'local'"]),
        ("kind: local\nwokers: 2\n", ["wokers", "did you mean 'workers'"]),
        ("workers: two\n", ["workers", "whole number"]),
        ("memory_limit: lots\n", ["memory_limit", "2GiB", "'lots'"]),
        ("memory_limit: 2e999GiB\n", ["memory_limit", "2GiB", "2e999GiB"]),
        ("memory_limit: 1MiB\n", ["memory_limit", "too little"]),
        ("kind: address\n", ["address", "tcp://"]),
        ("kind: local\naddress: tcp://a:1\n", ["takes no address"]),
        ("kind: local\nstages: {extract: {walltime: '1:00'}}\n", ["no stages.extract.walltime"]),
        ("kind: threads\nstages: {search: {memory: 1GiB}}\n", ["no stages.search.memory"]),
        ("kind: local\nstages: {extrct: {workers: 1}}\n", ["did you mean 'stages.extract'"]),
        ("kind: local\nstages: {extract: {memory: 1MiB}}\n", ["too little", "300MiB"]),
        ("kind: slurm\n", ["needs a number of workers", "workers: 4"]),
        ("kind: slurm\nworkers: 2\njob: {walltime: 14:00:00}\n", ["walltime", "quotes"]),
        ("kind: slurm\nworkers: 2\njob: {walltime: four hours}\n", ["walltime", "must match"]),
        ("kind: slurm\nworkers: 2\njob: {memory: lots}\n", ["memory", "4GiB"]),
        ("kind: slurm\nworkers: 2\njob: {memory: 10MiB}\n", ["memory", "300MiB"]),
        ("kind: slurm\nworkers: 2\njob: {partiton: x}\n", ["partiton", "'job.partition'"]),
        ("kind: local\njob: {memory: 4GiB}\n", ["takes no job", "slurm"]),
    ],
)
def test_an_error_names_key_and_remedy(tmp_path, text, words):
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_settings(path, Profile)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("model", [Profile, JobSettings, HeadJobSettings, Resources, Stages])
def test_every_key_has_a_description(model):
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_profiles_of_the_repository_are_valid(path):
    assert read_settings(path, Profile)
