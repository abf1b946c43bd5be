"""Resting MEG with planted spectra, coupling, mains, bad channels and bursts."""
