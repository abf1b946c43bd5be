"""The inference floor."""
