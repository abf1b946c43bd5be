"""Labelled data become numbers per participant and period, one family of features per file."""
