"""The simulate floor."""
