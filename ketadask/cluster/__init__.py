"""Where the work runs: one executor, whether that is this thread, a pool or a Dask cluster."""
