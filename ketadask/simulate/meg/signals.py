"""The field of simulated resting MEG: ten sources with known spectra and coupling, and artefacts.

Every value has an address: white noise of second s comes from (seed, s), so a window is the same
in any order, and a recording of eight minutes is never in memory.
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
    """Properties of a simulated recording.

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
        Pairs of sources whose alpha has one envelope and independent phases.
    lagged_pairs
        Pairs of sources of which the second follows the first by a quarter of an alpha cycle.
    white
        Noise of each sensor, fT per root Hz.
    mains, mains_reference
        Hz; amplitude in fT that gradient compensation removes. ``mains_left`` remains.
    drift
        Slow field at references and sensors alike, fT.
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
    lagged_pairs: tuple[tuple[int, int], ...] = ((6, 2),)
    white: float = 4.0
    mains: float = 60.0
    mains_reference: float = 400.0
    mains_left: float = 0.0
    drift: float = 2000.0
    noisy: tuple[str, ...] = ()
    flat: tuple[str, ...] = ()
    bursts: tuple[tuple[float, float], ...] = ()
    heart: float = 0.0
    pulse: float = 66.0


@dataclass(frozen=True, eq=False)
class Field:
    """The field of a helmet; ``window`` computes any segment of it.

    Attributes
    ----------
    helmet, truth, seed, rate, length
        What is simulated, and for how many time points.
    sources
        (source, time) float32 in fT.
    """

    helmet: Helmet
    truth: MegTruth
    seed: int
    rate: float
    length: int
    sources: np.ndarray = field(repr=False)

    def window(self, start: int, stop: int) -> np.ndarray:
        """Return sensors, then references (channel, time), float32 in fT, at grade 0."""
        truth, helmet = self.truth, self.helmet
        sensors, references = len(helmet.names), len(helmet.references)
        time = np.arange(start, stop) / self.rate
        signal = np.empty((sensors + references, stop - start), dtype=np.float32)
        noise = self._white(start, stop)
        gain = helmet.sources().astype(np.float32)
        np.matmul(gain, self.sources[:, start:stop], out=signal[:sensors])
        signal[:sensors] += np.float32(truth.white * np.sqrt(self.rate / 2)) * noise[:sensors]
        _add_bursts(signal[:sensors], noise[:sensors], time, truth, helmet)
        if truth.mains_left:
            signal[:sensors] += np.float32(truth.mains_left) * _mains(time, truth.mains)
        if truth.heart:
            signal[:sensors] += heart_pattern(helmet)[:, None] * _beats(time, truth)
        if references:
            external = _surroundings(time, truth, references)
            external += np.float32(0.5) * noise[sensors:]
            signal[sensors:] = external
            signal[:sensors] += helmet.weights.astype(np.float32) @ external
        for row, name in enumerate(helmet.names):
            if name in truth.noisy:
                signal[row] += np.float32(50 * truth.level) * noise[row]
            if name in truth.flat:
                signal[row] = 0.0
        return signal

    def _white(self, start: int, stop: int) -> np.ndarray:
        """Return standard normal numbers (channel, time), second by second."""
        step = round(self.rate)
        rows = len(self.helmet.names) + len(self.helmet.references)
        signal = np.empty((rows, stop - start), dtype=np.float32)
        for second in range(start // step, -(-stop // step)):
            rng = generator(self.seed, _WHITE, second)
            block = rng.standard_normal((rows, step), dtype=np.float32)
            low, high = max(start, second * step), min(stop, (second + 1) * step)
            signal[:, low - start : high - start] = block[
                :, low - second * step : high - second * step
            ]
        return signal


def simulated_field(
    helmet: Helmet, truth: MegTruth, *, seconds: float, rate: float = 1200.0, seed: int = 0
) -> Field:
    """Draw the sources of a recording; all else is drawn with each window."""
    length = round(seconds * rate)
    sources = draw_sources(truth, length, rate, generator(seed, _SOURCES))
    return Field(helmet, truth, seed, rate, length, sources)


def draw_sources(truth: MegTruth, length: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Draw ten sources (source, time), float32 in fT.

    Gaussian noise shaped in the frequency domain: aperiodic ``level**2 * f**-exponent`` with a
    Gaussian peak at alpha on top.
    """
    count = 2 * len(truth.alpha_power)
    frequency = np.fft.rfftfreq(length, 1 / rate)
    frequency_from = np.maximum(frequency, _LOWEST)
    aperiodic = truth.level * frequency_from ** (-truth.exponent / 2)
    aperiodic[0] = 0.0
    peak = np.exp(-((frequency - truth.alpha) ** 2) / (2 * _ALPHA_WIDTH**2)) ** 0.5
    height = truth.level * truth.alpha ** (-truth.exponent / 2)
    unit = np.sqrt(rate / 2)  # standard normal numbers have a density of 2 / rate
    background = [_shape_noise(rng, length, aperiodic * unit) for _ in range(count)]
    alpha = [_shape_noise(rng, length, height * peak * unit, analytic=True) for _ in range(count)]
    for one, other in truth.shared_envelope:
        phase = alpha[other] / np.maximum(np.abs(alpha[other]), 1e-9)
        alpha[other] = np.abs(alpha[one]) * phase
    for one, other in truth.lagged_pairs:
        alpha[other] = -1j * alpha[one]
    gains = np.sqrt(np.repeat(truth.alpha_power, 2))
    signal = [b + g * a.real for b, g, a in zip(background, gains, alpha, strict=True)]
    return np.array(signal, dtype=np.float32)


def _shape_noise(
    rng: np.random.Generator, length: int, amplitude: np.ndarray, *, analytic: bool = False
) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal(length)) * amplitude
    if not analytic:
        return np.fft.irfft(spectrum, length)
    both = np.zeros(length, dtype=complex)
    both[: len(spectrum)] = 2 * spectrum
    return np.fft.ifft(both)


def _surroundings(time: np.ndarray, truth: MegTruth, references: int) -> np.ndarray:
    """Return the field at the references: mains with harmonics, and slow drifts."""
    index = np.arange(references)[:, None]
    slow = np.sin(2 * np.pi * (0.05 + 0.01 * index) * time + index)
    lines = _mains(time[None, :] + 0.0003 * index, truth.mains)
    return np.asarray((truth.drift * slow + truth.mains_reference * lines).astype(np.float32))


def heart_pattern(helmet: Helmet) -> np.ndarray:
    """Return the gain of the heart (sensor,): smooth, largest low on the left, 1 at most."""
    _, left, up = helmet.position.T
    external = 0.6 - 4.0 * up + 2.0 * left
    signal: np.ndarray = (external / np.abs(external).max()).astype(np.float32)
    return signal


def _beats(time: np.ndarray, truth: MegTruth) -> np.ndarray:
    """Return the course of the heart: a sharp wave per beat and a slow one after it."""
    period = 60.0 / truth.pulse
    last = int(time[-1] / period) + 2 if time.size else 0
    signal = np.zeros(len(time), dtype=np.float32)
    for beat in range(max(0, int(time[0] / period) - 2) if time.size else 0, last):
        at = beat * period + 0.02 * np.sin(0.25 * 2 * np.pi * beat * period)  # breathing
        away = time - at
        sharp = away / 0.012
        signal += np.exp(-0.5 * sharp**2) - 0.3 * np.exp(-0.5 * (sharp - 2.5) ** 2)
        signal += 0.15 * np.exp(-0.5 * ((away - 0.25) / 0.05) ** 2)
    return np.float32(truth.heart) * signal


def _mains(time: np.ndarray, frequency: float) -> np.ndarray:
    turn = 2 * np.pi * frequency * time
    return (np.sin(turn) + 0.3 * np.sin(2 * turn) + 0.2 * np.sin(3 * turn)).astype(np.float32)


def _add_bursts(
    signal: np.ndarray, noise: np.ndarray, time: np.ndarray, truth: MegTruth, helmet: Helmet
) -> None:
    rows = np.flatnonzero([name[2] in "TF" for name in helmet.names])
    for first, seconds in truth.bursts:
        inside = np.flatnonzero((time >= first) & (time < first + seconds))
        if inside.size:
            # White noise models muscle activity, whose spectrum is flat up to some hundred Hz.
            signal[np.ix_(rows, inside)] += np.float32(800.0) * noise[np.ix_(rows, inside)]
