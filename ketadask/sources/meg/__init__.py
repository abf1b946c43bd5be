"""MEG recordings as lazy labelled arrays: CTF folders through a memory map, FIF through mne."""
