"""Studies of the tests end with their process, and nobody pulls the plug meanwhile."""

import os

import pytest


@pytest.fixture(autouse=True, scope="module")
def unsynced():
    """Do not wait for the disk: that what is written survives a power cut is tested in store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield
