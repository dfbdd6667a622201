"""Several systems trained on one corpus, with one command: what ``mmer compare`` does."""
