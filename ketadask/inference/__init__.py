"""Inference: what may be claimed. Relabelled trials, adjusted p, families, stability, verdicts."""
