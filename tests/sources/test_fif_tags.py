"""A FIF file whose tags form a circle is refused; mne would read it without end."""

from __future__ import annotations

import gzip
import struct

import pytest

from ketadask.schema.errors import InputError
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.sources.meg.fif_tags import check_tags
from ketadask.sources.meg.headers import read_header

SECOND_TAG = 36  # behind the header and the 20 bytes of the first


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("fif") / "sub-a_task-rest_meg.fif"
    return write_recording(path, helmet(10), seconds=1.0, rate=100.0)


@pytest.mark.parametrize(("field", "value"), [(12, SECOND_TAG), (8, -16)])
@pytest.mark.parametrize("ending", [".fif", ".fif.gz"])
def test_a_circle_is_refused(recording, tmp_path, field, value, ending):
    content = bytearray(recording.read_bytes())
    struct.pack_into(">i", content, SECOND_TAG + field, value)
    path = tmp_path / f"sub-a_task-rest_meg{ending}"
    path.write_bytes(gzip.compress(content) if ending == ".fif.gz" else content)
    with pytest.raises(InputError, match=r"its tags form a circle.*; copy it again"):
        read_header(path)


def test_other_files_are_left_to_mne(recording, tmp_path):
    check_tags(recording)
    check_tags(tmp_path / "missing.fif")
    assert read_header(recording)[0].length > 0
