"""The report floor."""
