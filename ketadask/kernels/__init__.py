"""Arrays in, arrays out: the numbers themselves. No dask, xarray, pandas or mne."""

from pathlib import Path

from ketadask.kernels.compiled import forget_if_changed

forget_if_changed(Path(__file__).parent)
