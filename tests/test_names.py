"""Names and addresses are spelt once."""

from __future__ import annotations

import re
from pathlib import Path

from ketadask import names

PACKAGE = Path(names.__file__).parent


def test_each_stream_of_randomness_belongs_to_one_floor():
    streams = {name: value for name, value in vars(names).items() if name.startswith("STREAM_")}
    assert len(set(streams.values())) == len(streams)
    users = {name: set() for name in streams}
    for file in PACKAGE.glob("*/**/*.py"):
        for name in re.findall(r"nm\.(STREAM_\w+)", file.read_text()):
            users[name].add(file.relative_to(PACKAGE).parts[0])
    assert {name: len(floors) for name, floors in users.items()} == dict.fromkeys(streams, 1)
