"""Pictures of a run: learning curves and what was predicted. Functions from data to a matplotlib figure."""
