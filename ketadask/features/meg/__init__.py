"""MEG recordings become numbers: streamed, cleaned, measured by region group and hemisphere."""
