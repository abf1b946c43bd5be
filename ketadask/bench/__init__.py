"""The bench floor."""
