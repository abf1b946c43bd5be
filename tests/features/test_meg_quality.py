"""Planted noise, gains and bursts are judged against neighbours, each band by itself."""

from __future__ import annotations

import numpy as np
import pytest

from ketadask.features.meg.quality import assess_quality, neighbours, segment_power
from ketadask.features.meg.settings import MegSettings
from ketadask.simulate.meg.helmet import helmet
from ketadask.simulate.meg.signals import MegTruth, simulated_field
from ketadask.sources.meg.channels import sensor_region

RATE = 300.0
HEAD = helmet(60, references=0)
GROUPS = [sensor_region(name, (0, 0, 0))[0] for name in HEAD.names]


def calm_field(seed, seconds=20):
    """Return a field (sensor, time) without surroundings."""
    truth = MegTruth(mains_reference=0.0, drift=0.0, exponent=1 + 0.5 * (seed % 2))
    field = simulated_field(HEAD, truth, seconds=seconds, rate=RATE, seed=seed)
    return field.window(0, field.length)


def quality_of(field):
    return assess_quality(
        field,
        RATE,
        np.ptp(field, axis=1),
        groups=GROUPS,
        bads=np.zeros(len(field), dtype=bool),
        mains=60.0,
        settings=MegSettings(),
        position=HEAD.position,
    )


def bad_sensors(seed):
    """Return a noisy and a weak sensor, by reason, and the reasons of all bad ones."""
    rng = np.random.default_rng(seed)
    field = calm_field(seed)
    noisy, weak = rng.choice(len(field), 2, replace=False)
    field[noisy] += 30 * np.sqrt(RATE / 2) * rng.standard_normal(field.shape[1])
    field[weak] *= 0.3
    reasons = quality_of(field).reasons
    return {noisy: "noisy", weak: "weak"}, {row: r for row, r in enumerate(reasons) if r}


@pytest.mark.parametrize("seed", range(8))
def test_noise_and_gain_are_found_and_nothing_else(seed):
    planted, reasons = bad_sensors(seed)
    assert reasons == planted


@pytest.mark.parametrize(("first", "last"), [(10.5, 15.2), (10.1, 11.9), (12.0, 14.6)])
@pytest.mark.parametrize("level", [100.0, 800.0])
def test_a_burst_is_bad_to_its_end(first, last, level):
    field = calm_field(1, 40)
    rows = np.flatnonzero([name[2] in "TF" for name in HEAD.names])
    inside = slice(round(first * RATE), round(last * RATE))
    shape = (len(rows), inside.stop - inside.start)
    field[rows, inside] += level * np.random.default_rng(0).standard_normal(shape)
    expected = list(range(int(first // 2), int(np.ceil(last / 2))))
    assert np.flatnonzero(~quality_of(field).clean).tolist() == expected


def test_quarters_add_up_to_segments():
    field = calm_field(0)
    flat = np.tile(field[:, :150], (1, 8))
    whole, quarters = (
        segment_power(flat, RATE, 600, ((20.0, 100.0),), np.zeros(0), parts=parts)
        for parts in (1, 4)
    )
    assert quarters.shape == (1, 60, 8)
    np.testing.assert_allclose(quarters[..., ::4], quarters[..., 1::4], rtol=1e-5)
    assert whole.shape == (1, 60, 2)


def test_neighbours_are_the_nearest_usable_ones():
    usable = np.arange(60) % 7 != 0
    nearest = neighbours(HEAD.position, usable)
    assert nearest.shape == (60, 8)
    assert usable[nearest].all()
    for row in (0, 8, 33):
        distance = np.linalg.norm(HEAD.position - HEAD.position[row], axis=1)
        order = [k for k in np.argsort(distance) if usable[k] and k != row]
        assert set(nearest[row]) == set(order[:8])
    everyone = neighbours(np.zeros((60, 3)), usable)
    assert everyone.shape == (60, usable.sum())
