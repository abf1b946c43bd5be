"""Simulated studies as a graph: what a design could detect."""
