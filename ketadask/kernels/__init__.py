"""The kernels floor."""
