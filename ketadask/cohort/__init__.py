"""The cohort floor: one labelled table of cases, the designs that score it, and its splits."""
