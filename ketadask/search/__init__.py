"""Personas: literals, the exact search, blocks of splits, and their graph."""
