"""Benchmarks: speed and memory on this machine."""
