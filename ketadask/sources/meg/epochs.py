"""A file of epochs as one series of time points: each epoch follows the one before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

EPOCHS_ENDINGS = ("_epo.fif", "-epo.fif", "_epo.fif.gz", "-epo.fif.gz")


class EpochsSeries:
    """The epochs of a file behind the attributes of mne's recordings that a header is read from.

    Its annotations are an edge where an epoch begins, and the epochs themselves by name.
    """

    first_time = 0.0

    def __init__(self, path: Path) -> None:
        import mne

        self._epochs = mne.read_epochs(path, preload=False, verbose="error")
        self.filenames = (path,)
        self._size = len(self._epochs.times)
        self.n_times = self._size * len(self._epochs)

    def __getattr__(self, name: str) -> Any:
        """Return what epochs and recordings of mne have in common: names, types, coils."""
        return getattr(self._epochs, name)

    @property
    def annotations(self) -> list[dict[str, Any]]:
        """The epochs in time."""
        names = {code: name for name, code in self._epochs.event_id.items()}
        seconds = self._size / float(self._epochs.info["sfreq"])
        return [
            {"onset": index * seconds, "duration": length, "description": description}
            for index, code in enumerate(self._epochs.events[:, 2].tolist())
            for length, description in ((0.0, "edge"), (seconds, names[code]))
        ]

    def __getitem__(self, key: tuple[np.ndarray, slice]) -> tuple[np.ndarray]:
        """Return the values of channels in a window of time, (channel, time), in SI units."""
        picks, window = key
        first, last = window.start // self._size, -(-window.stop // self._size)
        values = self._epochs.get_data(picks=picks, item=slice(first, last), verbose="error")
        series = values.transpose(1, 0, 2).reshape(len(picks), -1)
        start = window.start - first * self._size
        return (series[:, start : start + window.stop - window.start],)
