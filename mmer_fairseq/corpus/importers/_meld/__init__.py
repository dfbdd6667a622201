"""Parts of ``mmer import meld``: its tables, its clips, and which of them can be decoded."""
