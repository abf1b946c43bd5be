"""Into how many tasks a stage is cut: long enough for a scheduler, enough of them for workers."""

from __future__ import annotations

MOST_TASKS = 15_000
MOST_PIECES = 64
MOST_UNTIMED = 256


def block_size(each: float, left: int, workers: int, task_seconds: float) -> int:
    """Return how many numbers a task gets when one takes ``each`` seconds.

    Examples
    --------
    >>> block_size(0.05, left=10_000, workers=2, task_seconds=10), block_size(0.05, 100, 2, 10)
    (200, 13)
    """
    wanted = task_seconds / max(each, 1e-6)
    fair = -(-left // (4 * workers))
    return max(1, round(min(wanted, fair)), -(-left // MOST_TASKS))


def pieces_of(each: float, left: int, searches: int, task_seconds: float) -> int:
    """Return over how many tasks each of the searches is split that one number is made of.

    Examples
    --------
    >>> pieces_of(9.0, 1000, 2, 10), pieces_of(240.0, 500, 2, 10), pieces_of(240.0, 9000, 2, 10)
    (1, 12, 1)
    """
    if not searches or each <= 2 * task_seconds:
        return 1
    wanted = -(-each // (searches * task_seconds))
    affordable = MOST_TASKS // (max(left, 1) * searches)
    return max(1, min(int(wanted), MOST_PIECES, affordable))


def spread_of(left: int, workers: int, searches: int) -> int:
    """Return over how many tasks each search is split where numbers are fewer than workers.

    Nothing could be timed, so each worker gets two of them, but all together are so few that short
    searches lose nothing to speak of.

    Examples
    --------
    >>> spread_of(1, 8, 2), spread_of(5, 8, 2), spread_of(8, 8, 2), spread_of(200, 1000, 2)
    (8, 2, 1, 1)
    """
    if not 0 < left < workers or not searches:
        return 1
    wanted = -(-2 * workers // (left * searches))
    return max(1, min(wanted, MOST_PIECES, MOST_UNTIMED // (left * searches)))
