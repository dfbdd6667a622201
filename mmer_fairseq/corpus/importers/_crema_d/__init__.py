"""Parts of ``mmer import crema-d``: the names of its files, and its tables."""
