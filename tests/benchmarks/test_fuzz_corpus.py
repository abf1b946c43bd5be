"""The files that fuzzing has kept are still read, or refused with a clear error."""

import dask
import pytest

from tests.benchmarks.fuzz import CORPUS, parsers, read_corpus


@pytest.mark.parametrize("name", sorted(path.stem for path in CORPUS.glob("*.txt")))
def test_files_of_the_corpus(tmp_path, name):
    _, check = parsers()[name]
    with dask.config.set(scheduler="synchronous"):
        for content in read_corpus(name):
            check(tmp_path, content)
