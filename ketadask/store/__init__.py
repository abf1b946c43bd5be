"""Runs on disk: fingerprints, the run folder, parts written whole, what is left to do."""
