"""Arrays in, arrays out: the numbers themselves. No dask, xarray, pandas or mne."""
