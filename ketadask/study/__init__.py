"""The study floor."""
