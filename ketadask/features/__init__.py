"""The features floor."""
