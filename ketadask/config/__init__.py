"""The config floor."""
