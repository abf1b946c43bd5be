"""The store floor."""
