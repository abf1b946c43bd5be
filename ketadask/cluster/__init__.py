"""The cluster floor."""
