"""The pipeline floor: stages as values, executors, and the one road that runs them."""
