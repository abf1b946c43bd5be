"""Contract of every dataset and table: what columns exist, of which type, meaning what."""
