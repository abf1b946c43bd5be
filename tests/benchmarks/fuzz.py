"""Mutation of input files, guided by the lines of the package that a file reaches.

``python -m tests.benchmarks.fuzz --seconds 60`` mutates the files of every parser in turn. A file
that reaches a line after another one for the first time joins the corpus in ``tests/corpus``, from
which later mutations start, and which ``tests/sources/test_corpus.py`` reads again. What is neither
a value nor an `InputError` is printed with the file, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import dask

import ketadask
from ketadask.search.persona import Persona, _hash
from ketadask.simulate.meg.fif import write_recording
from ketadask.simulate.meg.helmet import helmet
from ketadask.sources.meg.collection import find_recordings
from ketadask.sources.meg.ctf_files import read_ctf_bad_segments
from ketadask.sources.meg.headers import read_header
from tests.config import test_fuzz_settings as yaml_files
from tests.search.test_persona import persona
from tests.sources import test_fuzz as tables

CORPUS = Path(__file__).parents[1] / "corpus"
PACKAGE = str(Path(ketadask.__file__).parent)
LONGEST = 4_000  # bytes of a file in the corpus
HEADER_START = 3_000  # bytes of a CTF header before its channels and coefficients
Edge = tuple[str, int, int]


def check_settings(name: str) -> Callable[[Path, bytes], None]:
    """Return a check of settings or profiles."""
    model, _ = yaml_files.CASES[name]

    def check(folder: Path, content: bytes) -> None:
        yaml_files.check(folder, model, content.decode("utf-8", "surrogateescape"))

    return check


def check_persona(folder: Path, content: bytes) -> None:
    """Read a persona as it is, and where it is JSON with the hash of the changed content."""
    path = folder / "persona.json"
    path.write_bytes(content)
    tables.table_or_error(Persona.read, path)
    try:
        fields = json.loads(content)
        fields["hash"] = _hash({k: v for k, v in fields.items() if k != "hash"})
        path.write_text(json.dumps(fields))
    except (ValueError, RecursionError, TypeError, AttributeError):
        return
    tables.table_or_error(Persona.read, path)


def check_fif(folder: Path, content: bytes) -> None:
    """Read the header of a FIF recording."""
    path = folder / "sub-a_task-rest_meg.fif"
    path.write_bytes(content)
    tables.table_or_error(read_header, path)


def check_ctf_segments(folder: Path, content: bytes) -> None:
    """Read the bad segments of a CTF recording."""
    (folder / "bad.segments").write_bytes(content)
    for trial, first, last in tables.table_or_error(read_ctf_bad_segments, folder) or ():
        assert trial >= 1
        assert first <= last


def ctf_folder() -> Path | None:
    """Return a CTF recording of the real data, if there are real data."""
    folder = Path(os.environ.get("KETADASK_REAL_DATA", "/nowhere")) / "meg"
    return next(iter(sorted(folder.glob("*.ds"))), None)


def check_res4(original: Path) -> Callable[[Path, bytes], None]:
    """Return a check of the start of a CTF header; all else of the recording is sound."""

    def check(folder: Path, content: bytes) -> None:
        path = folder / original.name
        if not path.is_dir():
            path.mkdir()
            for file in original.iterdir():
                shutil.copyfile(file, path / file.name)
        rest = (original / f"{path.stem}.res4").read_bytes()[HEADER_START:]
        (path / f"{path.stem}.res4").write_bytes(content + rest)
        tables.table_or_error(read_header, path)

    return check


def check_beside(name: str) -> Callable[[Path, bytes], None]:
    """Return a check of a file beside a recording."""

    def check(folder: Path, content: bytes) -> None:
        meg = folder / "bids" / "sub-a" / "meg"
        meg.mkdir(parents=True, exist_ok=True)
        (meg / "sub-a_task-rest_meg.fif").touch()
        for path in meg.glob("*_[ce]*.tsv"):
            path.unlink()
        (meg / f"sub-a_task-rest_{name}").write_bytes(content)
        tables.table_or_error(find_recordings, folder / "bids", "rest")

    return check


def fif() -> bytes:
    """Return a short recording of two sensors."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a_meg.fif"
        write_recording(path, helmet(10), seconds=0.1, rate=100.0)
        return path.read_bytes()


SEGMENTS = b"1 0.5 1.25\n2 0 3\n"
CHANNELS = b"name\ttype\tstatus\nMLC11\tMEGGRADAXIAL\tgood\nMLC12\tMEGGRADAXIAL\tbad\n"
EVENTS = b"onset\tduration\ttrial_type\n1.5\t0.25\tbad_muscle\n3\tn/a\tgo\n"
MEG_JSON = b'{"TaskName": "rest", "SamplingFrequency": 300.0, "PowerLineFrequency": 60}'


def parsers() -> dict[str, tuple[bytes, Callable[[Path, bytes], None]]]:
    """Return by name: a valid file, and a check that raises where it is read badly."""
    kinds = dict(tables.CHECKS)
    kinds |= {
        name: (yaml_files.CASES[name][1].encode(), check_settings(name))
        for name in yaml_files.CASES
    }
    kinds["persona"] = persona().to_json(), check_persona
    kinds["fif"] = fif(), check_fif
    if original := ctf_folder():
        header = (original / f"{original.stem}.res4").read_bytes()
        kinds["res4"] = header[:HEADER_START], check_res4(original)
    kinds["segments"] = SEGMENTS, check_ctf_segments
    kinds["channels"] = CHANNELS, check_beside("channels.tsv")
    kinds["events"] = EVENTS, check_beside("events.tsv")
    kinds["meg-json"] = MEG_JSON, check_beside("meg.json")
    return kinds


@contextmanager
def traced(edges: set[Edge]) -> Iterator[None]:
    """Add to ``edges`` each line of the package that runs, with the line before it."""

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGE):
            return None
        line = [0]

        def trace_lines(frame: FrameType, event: str, _: Any) -> Any:
            edges.add((name, line[0], frame.f_lineno))
            line[0] = frame.f_lineno
            return trace_lines

        return trace_lines

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


def mutate(content: bytes, pieces: list[bytes], draw: random.Random) -> bytes:
    """Cut, double, overwrite, insert and flip bytes."""
    for _ in range(draw.randint(1, 4)):
        first = draw.randint(0, len(content))
        last = draw.randint(first, min(len(content), first + 40))
        kind = draw.randrange(4)
        new = draw.choice(pieces)
        if kind == 1:
            new = content[first:last]
        elif kind == 2:
            new = draw.randbytes(draw.randint(0, 6))
        elif kind == 3 and first < len(content):
            new = bytes([content[first] ^ 1 << draw.randrange(8)])
            last = first + 1
        content = content[: draw.choice([first, last])] + new + content[last:]
    return content


def read_corpus(name: str) -> list[bytes]:
    """Return the files of the corpus of one parser."""
    path = CORPUS / f"{name}.txt"
    lines = path.read_text().split() if path.exists() else []
    return [base64.b64decode(line) for line in lines]


def fuzz(name: str, seconds: float, seed: int) -> tuple[int, int, int, list[str]]:
    """Return numbers of inputs, of files in the corpus and of edges; and the failures."""
    original, check = parsers()[name]
    draw, edges, failures = random.Random(f"{name}{seed}"), set[Edge](), {}
    pieces = tables.PIECES + [piece.encode("utf-8", "surrogatepass") for piece in yaml_files.PIECES]
    corpus, n_inputs, end = read_corpus(name), 0, time.process_time() + seconds
    queue = [original, *corpus]
    with tempfile.TemporaryDirectory() as folder, dask.config.set(scheduler="synchronous"):
        while queue or time.process_time() < end:
            is_new = not queue
            content = (
                mutate(draw.choice([original, *corpus]), pieces, draw) if is_new else queue.pop()
            )
            n_inputs, before = n_inputs + 1, len(edges)
            start = time.process_time()
            try:
                with traced(edges), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    check(Path(folder), content)
            except Exception as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                key = f"{type(error).__name__} at {place.filename}:{place.lineno}"
                failures.setdefault(key, f"{name}: {key}: {str(error)[:200]}\n  {content[:300]!r}")
            if time.process_time() - start > 5:
                failures.setdefault("slow", f"{name}: slow\n  {content[:300]!r}")
            if is_new and len(edges) > before and len(content) <= max(LONGEST, 2 * len(original)):
                corpus.append(content)
    CORPUS.mkdir(exist_ok=True)
    if len(original) <= LONGEST and name != "res4":  # real data are not stored
        text = "\n".join(base64.b64encode(content).decode() for content in corpus)
        (CORPUS / f"{name}.txt").write_text(text + "\n")
    return n_inputs, len(corpus), len(edges), list(failures.values())


def main() -> None:
    """Fuzz all parsers, or those named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of CPU for each parser")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    failures = []
    for name in arguments.names or parsers():
        n_inputs, n_files, n_edges, new = fuzz(name, arguments.seconds, arguments.seed)
        print(
            f"{name:14}{n_inputs:9,} inputs{n_files:6,} in the corpus{n_edges:7,} edges"
            f"{len(new):4} failures",
            flush=True,
        )
        print("\n".join(new), flush=True)
        failures += new
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
