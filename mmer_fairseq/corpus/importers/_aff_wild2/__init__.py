"""Parts of ``mmer import aff-wild2``: its annotations, its media, its splits."""
