"""Runs on disk: fingerprints, the run folder, and parts that are complete or absent."""
