"""The search floor."""
