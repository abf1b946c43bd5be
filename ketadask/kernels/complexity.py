"""Complexity of time courses: Lempel-Ziv by a suffix automaton, and Hjorth's parameters."""

from __future__ import annotations

import numpy as np

from ketadask.kernels.compiled import kernel


@kernel()
def lempel_ziv(symbols: np.ndarray, nodes: np.ndarray) -> int:
    """Count the components of the exhaustive history of a binary sequence, in linear time.

    Each component is the shortest sequence that has not occurred before its last symbol
    (Lempel & Ziv 1976, IEEE Trans Inf Theory 22:75; the count of Kaspar & Schuster 1987, Phys Rev A
    36:842). A suffix automaton stores the sequences, so a symbol costs a constant, not a search.

    Parameters
    ----------
    symbols
        uint8 (time,) of 0 and 1.
    nodes
        int32 (2 * time + 2, 4) working memory, overwritten: transitions by 0 and 1, link, length.

    Examples
    --------
    >>> nodes = np.empty((20, 4), dtype=np.int32)
    >>> lempel_ziv(np.array([0, 0, 0, 1, 1, 0, 1], dtype=np.uint8), nodes)
    4
    """
    nodes[0, 0] = nodes[0, 1] = -1
    nodes[0, 2], nodes[0, 3] = -1, 0
    states, last, here, match_length, components = 1, 0, 0, 0, 0
    for k in range(symbols.size):
        symbol = symbols[k]
        if nodes[here, symbol] >= 0:
            here = nodes[here, symbol]
            match_length += 1
        else:
            components += 1
            here, match_length = 0, 0
        new = states
        states += 1
        nodes[new, 0] = nodes[new, 1] = -1
        nodes[new, 3] = nodes[last, 3] + 1
        state = last
        while state >= 0 and nodes[state, symbol] < 0:
            nodes[state, symbol] = new
            state = nodes[state, 2]
        if state < 0:
            nodes[new, 2] = 0
        else:
            after = nodes[state, symbol]
            if nodes[state, 3] + 1 == nodes[after, 3]:
                nodes[new, 2] = after
            else:
                copy = states
                states += 1
                nodes[copy] = nodes[after]
                nodes[copy, 3] = nodes[state, 3] + 1
                while state >= 0 and nodes[state, symbol] == after:
                    nodes[state, symbol] = copy
                    state = nodes[state, 2]
                nodes[after, 2] = nodes[new, 2] = copy
        last = new
        # A copy may now represent the sequence being matched.
        while match_length and match_length <= nodes[nodes[here, 2], 3]:
            here = nodes[here, 2]
    return components + (match_length > 0)


@kernel()
def mean_lempel_ziv(field: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Return the normalised Lempel-Ziv complexity of every channel, averaged over windows.

    A window is cut at its mean; ``c log2(n) / n`` is 1 for a long random sequence.

    Parameters
    ----------
    field
        float32 (channel, time).
    starts
        int64 (window,) first time points.
    length
        Time points of a window.

    Returns
    -------
    float64 (channel,), NaN where there is no window.
    """
    complexity = np.full(field.shape[0], np.nan)
    symbols = np.empty(length, dtype=np.uint8)
    nodes = np.empty((2 * length + 2, 4), dtype=np.int32)
    if starts.size == 0 or length < 2:
        return complexity
    for c in range(field.shape[0]):
        total = 0.0
        for start in starts:
            window = field[c, start : start + length]
            mean = window.mean()
            for k in range(length):
                symbols[k] = window[k] > mean
            total += lempel_ziv(symbols, nodes)
        complexity[c] = total / starts.size * np.log2(length) / length
    return complexity


@kernel()
def hjorth(field: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Return activity, mobility and complexity of every channel: float64 (channel, 3).

    Variances of the field and of its first and second differences are averaged over windows
    (Hjorth 1970, Electroencephalogr Clin Neurophysiol 29:306). NaN where there is no window.

    Parameters
    ----------
    field
        float32 (channel, time).
    starts, length
        First time points of the windows, and time points of each.
    """
    complexity = np.full((field.shape[0], 3), np.nan)
    if starts.size == 0:
        return complexity
    for c in range(field.shape[0]):
        power = np.zeros(3)
        for start in starts:
            sums, squares = np.zeros(3), np.zeros(3)
            for k in range(start, start + length):
                value = np.float64(field[c, k])
                sums[0] += value
                squares[0] += value * value
                if k > start:
                    first = value - field[c, k - 1]
                    sums[1] += first
                    squares[1] += first * first
                if k > start + 1:
                    second = value - 2.0 * field[c, k - 1] + field[c, k - 2]
                    sums[2] += second
                    squares[2] += second * second
            for order in range(3):
                n = length - order
                power[order] += squares[order] / n - (sums[order] / n) ** 2
        if power[0] > 0 and power[1] > 0:
            mobility = np.sqrt(power[1] / power[0])
            complexity[c, 0] = power[0] / starts.size
            complexity[c, 1] = mobility
            complexity[c, 2] = np.sqrt(power[2] / power[1]) / mobility
    return complexity
