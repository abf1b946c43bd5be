"""The cohort floor."""
