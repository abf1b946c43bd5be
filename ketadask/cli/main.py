"""Entry point of the command line: exit codes and error messages."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

DEBUG = "--debug"
# Commands and options by the words they had before.
_BENCHMARKS = ("noise", "validity", "truth", "cohorts", "predict", "volumes", "startup")
_NEW_WORDS = {
    "share": "ketadask array-task",
    "power --coverage": "ketadask power --prevalence",
    "status --watch": "ketadask status --follow",
    "plan --sides": "ketadask plan --alpha, one-sided",
    **{f"bench {name}": f"python -m tests.benchmarks.{name} in a checkout" for name in _BENCHMARKS},
}


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line; exit with 0 (success), 1 (failure) or 2 (invalid input)."""
    arguments = list(sys.argv[1:] if words is None else words)
    debug = DEBUG in arguments
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    sys.exit(run([word for word in arguments if word != DEBUG], debug=debug))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does: close the cluster, keep complete parts, exit with 130."""
    raise KeyboardInterrupt


def run(words: list[str], *, debug: bool = False) -> int:
    """Return the exit code of one command; with ``debug``, print tracebacks."""
    from ketadask.cli.app import app
    from ketadask.schema.errors import InputError

    try:
        _refuse_old_words(words)
        app(words, prog_name="ketadask")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except InputError as error:
        if debug:
            traceback.print_exc()
        print(error, file=sys.stderr)
        return 2
    except Exception as error:
        if debug:
            traceback.print_exc()
        text = str(error).strip().splitlines() or ["no message"]
        print(f"failed: {type(error).__name__}: {text[0]}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(note.partition("\n")[0], file=sys.stderr)  # a task's traceback follows
        if not debug:
            print("add --debug to see the traceback", file=sys.stderr)
        return 1
    return 0


def _refuse_old_words(words: list[str]) -> None:
    """Raise an error that names the new word of a command or option of an earlier version."""
    from ketadask.schema.errors import InputError

    options = [f"{words[0]} {word.partition('=')[0]}" for word in words[1:]]
    for old in [*words[:1], *options]:
        if old in _NEW_WORDS:
            raise InputError("unknown command", where=old, remedy=f"it is now {_NEW_WORDS[old]}")
