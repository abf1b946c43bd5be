"""The command line: verbs that call the study; no logic of their own."""

from ketadask.cli.main import main

__all__ = ["main"]
