"""The field of a simulated rest: ten sources with known spectra and coupling, and what disturbs.

Every value has an address: white noise of second s comes from (seed, s), so a window is the same
however it is reached, and a recording of eight minutes is never held.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ketadask.simulate.meg.helmet import Helmet
from ketadask.simulate.trial import generator

_SOURCES, _WHITE = 1, 2
_LOWEST = 0.5  # Hz: below it the spectrum of sources is flat
_ALPHA_WIDTH = 1.0


@dataclass(frozen=True)
class MegTruth:
    """What a simulated recording holds.

    Attributes
    ----------
    exponent
        The power of every source falls as ``f ** -exponent``.
    level
        Amplitude at 1 Hz, fT per root Hz.
    alpha
        Frequency of the alpha peak, Hz; its width is 1 Hz.
    alpha_power
        Power at the peak over the aperiodic power there, by region (central, frontal, occipital,
        parietal, temporal).
    shared_envelope
        Pairs of sources whose alpha waxes and wanes together, with phases of their own.
    lagged
        Pairs of sources of which the second follows the first by a quarter of an alpha cycle.
    white
        Noise of each sensor, fT per root Hz.
    mains, mains_seen
        Hz; amplitude in fT that gradient compensation removes. ``mains_left`` is what stays.
    drift
        Slow field seen by references and sensors alike, fT.
    noisy, flat
        Names of sensors that are broken.
    bursts
        (first second, seconds) of muscle activity in temporal and frontal sensors.
    heart, pulse
        Field of a heart beat in fT at its largest, 0 for none; beats per minute.
    """

    exponent: float = 1.0
    level: float = 60.0
    alpha: float = 10.0
    alpha_power: tuple[float, ...] = (3.0, 2.0, 12.0, 9.0, 2.0)
    shared_envelope: tuple[tuple[int, int], ...] = ((8, 9),)
    lagged: tuple[tuple[int, int], ...] = ((6, 2),)
    white: float = 4.0
    mains: float = 60.0
    mains_seen: float = 400.0
    mains_left: float = 0.0
    drift: float = 2000.0
    noisy: tuple[str, ...] = ()
    flat: tuple[str, ...] = ()
    bursts: tuple[tuple[float, float], ...] = ()
    heart: float = 0.0
    pulse: float = 66.0


@dataclass(frozen=True, eq=False)
class Field:
    """The field of a helmet; ``window`` makes any stretch of it.

    Attributes
    ----------
    helmet, planted, seed, rate, length
        What is simulated, and for how many time points.
    sources
        (source, time) float32 in fT.
    """

    helmet: Helmet
    planted: MegTruth
    seed: int
    rate: float
    length: int
    sources: np.ndarray = field(repr=False)

    def window(self, start: int, stop: int) -> np.ndarray:
        """Return sensors, then references (channel, time), float32 in fT, at grade 0."""
        planted, helmet = self.planted, self.helmet
        sensors, references = len(helmet.names), len(helmet.references)
        time = np.arange(start, stop) / self.rate
        made = np.empty((sensors + references, stop - start), dtype=np.float32)
        noise = self._white(start, stop)
        gain = helmet.sources().astype(np.float32)
        np.matmul(gain, self.sources[:, start:stop], out=made[:sensors])
        made[:sensors] += np.float32(planted.white * np.sqrt(self.rate / 2)) * noise[:sensors]
        _add_bursts(made[:sensors], noise[:sensors], time, planted, helmet)
        if planted.mains_left:
            made[:sensors] += np.float32(planted.mains_left) * _mains(time, planted.mains)
        if planted.heart:
            made[:sensors] += heart_pattern(helmet)[:, None] * _beats(time, planted)
        if references:
            seen = _surroundings(time, planted, references)
            seen += np.float32(0.5) * noise[sensors:]
            made[sensors:] = seen
            made[:sensors] += helmet.weights.astype(np.float32) @ seen
        for row, name in enumerate(helmet.names):
            if name in planted.noisy:
                made[row] += np.float32(50 * planted.level) * noise[row]
            if name in planted.flat:
                made[row] = 0.0
        return made

    def _white(self, start: int, stop: int) -> np.ndarray:
        """Return standard normal numbers (channel, time), second by second."""
        step = round(self.rate)
        rows = len(self.helmet.names) + len(self.helmet.references)
        made = np.empty((rows, stop - start), dtype=np.float32)
        for second in range(start // step, -(-stop // step)):
            rng = generator(self.seed, _WHITE, second)
            block = rng.standard_normal((rows, step), dtype=np.float32)
            low, high = max(start, second * step), min(stop, (second + 1) * step)
            made[:, low - start : high - start] = block[
                :, low - second * step : high - second * step
            ]
        return made


def simulated_field(
    helmet: Helmet, planted: MegTruth, *, seconds: float, rate: float = 1200.0, seed: int = 0
) -> Field:
    """Draw the sources of a recording; everything else is drawn when a window is made."""
    length = round(seconds * rate)
    sources = draw_sources(planted, length, rate, generator(seed, _SOURCES))
    return Field(helmet, planted, seed, rate, length, sources)


def draw_sources(
    planted: MegTruth, length: int, rate: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw ten sources (source, time), float32 in fT.

    Gaussian noise shaped in the frequency domain: aperiodic ``level**2 * f**-exponent`` with a
    Gaussian peak at alpha on top.
    """
    count = 2 * len(planted.alpha_power)
    frequency = np.fft.rfftfreq(length, 1 / rate)
    bounded = np.maximum(frequency, _LOWEST)
    aperiodic = planted.level * bounded ** (-planted.exponent / 2)
    aperiodic[0] = 0.0
    peak = np.exp(-((frequency - planted.alpha) ** 2) / (2 * _ALPHA_WIDTH**2)) ** 0.5
    height = planted.level * planted.alpha ** (-planted.exponent / 2)
    unit = np.sqrt(rate / 2)  # standard normal numbers have a density of 2 / rate
    background = [_shaped(rng, length, aperiodic * unit) for _ in range(count)]
    alpha = [_shaped(rng, length, height * peak * unit, analytic=True) for _ in range(count)]
    for one, other in planted.shared_envelope:
        phase = alpha[other] / np.maximum(np.abs(alpha[other]), 1e-9)
        alpha[other] = np.abs(alpha[one]) * phase
    for one, other in planted.lagged:
        alpha[other] = -1j * alpha[one]
    gains = np.sqrt(np.repeat(planted.alpha_power, 2))
    made = [b + g * a.real for b, g, a in zip(background, gains, alpha, strict=True)]
    return np.array(made, dtype=np.float32)


def _shaped(
    rng: np.random.Generator, length: int, amplitude: np.ndarray, *, analytic: bool = False
) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal(length)) * amplitude
    if not analytic:
        return np.fft.irfft(spectrum, length)
    both = np.zeros(length, dtype=complex)
    both[: len(spectrum)] = 2 * spectrum
    return np.fft.ifft(both)


def _surroundings(time: np.ndarray, planted: MegTruth, references: int) -> np.ndarray:
    """Return what the references see: mains with harmonics, and slow drifts."""
    number = np.arange(references)[:, None]
    slow = np.sin(2 * np.pi * (0.05 + 0.01 * number) * time + number)
    lines = _mains(time[None, :] + 0.0003 * number, planted.mains)
    return (planted.drift * slow + planted.mains_seen * lines).astype(np.float32)


def heart_pattern(helmet: Helmet) -> np.ndarray:
    """Return how sensors see the heart (sensor,): smooth, largest low on the left, 1 at most."""
    _, left, up = helmet.position.T
    seen = 0.6 - 4.0 * up + 2.0 * left
    made: np.ndarray = (seen / np.abs(seen).max()).astype(np.float32)
    return made


def _beats(time: np.ndarray, planted: MegTruth) -> np.ndarray:
    """Return the course of the heart: a sharp wave per beat and a slow one after it."""
    period = 60.0 / planted.pulse
    last = int(time[-1] / period) + 2 if time.size else 0
    made = np.zeros(len(time), dtype=np.float32)
    for beat in range(max(0, int(time[0] / period) - 2) if time.size else 0, last):
        at = beat * period + 0.02 * np.sin(0.25 * 2 * np.pi * beat * period)  # breathing
        away = time - at
        made += np.exp(-0.5 * (away / 0.012) ** 2) - 0.3 * np.exp(-0.5 * (away / 0.012 - 2.5) ** 2)
        made += 0.15 * np.exp(-0.5 * ((away - 0.25) / 0.05) ** 2)
    return np.float32(planted.heart) * made


def _mains(time: np.ndarray, frequency: float) -> np.ndarray:
    turn = 2 * np.pi * frequency * time
    return (np.sin(turn) + 0.3 * np.sin(2 * turn) + 0.2 * np.sin(3 * turn)).astype(np.float32)


def _add_bursts(
    made: np.ndarray, noise: np.ndarray, time: np.ndarray, planted: MegTruth, helmet: Helmet
) -> None:
    rows = [k for k, name in enumerate(helmet.names) if name[2] in "TF"]
    for first, seconds in planted.bursts:
        inside = (time >= first) & (time < first + seconds)
        if inside.any():
            # White noise stands for muscle: it is flat up to some hundred Hz there too.
            made[np.ix_(rows, inside)] += np.float32(800.0) * noise[np.ix_(rows, inside)]
