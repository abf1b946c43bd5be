"""Number of tasks of a stage: long enough for a scheduler, enough of them for the workers."""

from __future__ import annotations

MAX_TASKS = 15_000
MAX_PIECES = 64
MAX_UNTIMED_PIECES = 256


def block_size(item_seconds: float, n_left: int, workers: int, task_seconds: float) -> int:
    """Return the number of items per task.

    Examples
    --------
    >>> block_size(0.05, 10_000, workers=2, task_seconds=10), block_size(0.05, 100, 2, 10)
    (200, 13)
    """
    target = task_seconds / max(item_seconds, 1e-6)
    fair = -(-n_left // (4 * workers))
    return max(1, round(min(target, fair)), -(-n_left // MAX_TASKS))


def pieces_of(item_seconds: float, n_left: int, n_searches: int, task_seconds: float) -> int:
    """Return the number of tasks that each of the searches of an item is split over.

    Examples
    --------
    >>> pieces_of(9.0, 1000, 2, 10), pieces_of(240.0, 500, 2, 10), pieces_of(240.0, 9000, 2, 10)
    (1, 12, 1)
    """
    if not n_searches or item_seconds <= 2 * task_seconds:
        return 1
    target = -(-item_seconds // (n_searches * task_seconds))
    affordable = MAX_TASKS // (max(n_left, 1) * n_searches)
    return max(1, min(int(target), MAX_PIECES, affordable))


def spread_of(n_left: int, workers: int, n_searches: int) -> int:
    """Return the number of tasks per search where fewer items than workers are left.

    Nothing could be timed, so every worker gets two tasks, but so few in all that short searches
    lose little time.

    Examples
    --------
    >>> spread_of(1, 8, 2), spread_of(5, 8, 2), spread_of(8, 8, 2), spread_of(200, 1000, 2)
    (8, 2, 1, 1)
    """
    if not 0 < n_left < workers or not n_searches:
        return 1
    target = -(-2 * workers // (n_left * n_searches))
    return max(1, min(target, MAX_PIECES, MAX_UNTIMED_PIECES // (n_left * n_searches)))
