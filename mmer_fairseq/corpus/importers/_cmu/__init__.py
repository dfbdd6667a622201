"""What ``mmer import mosei`` and ``mmer import mosi`` share: labels, transcripts, media, splits, and the import."""
