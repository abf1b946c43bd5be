"""Prediction of response from brain structure: nested cross-validation and locked models."""
