"""Parts of ``mmer import iemocap``: names, evaluations and transcripts, media, splits."""
