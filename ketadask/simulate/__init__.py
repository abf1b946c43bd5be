"""A study folder with planted truth, in the formats real studies come in."""

from ketadask.simulate.study import simulate

__all__ = ["simulate"]
