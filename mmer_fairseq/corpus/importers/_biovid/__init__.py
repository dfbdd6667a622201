"""Parts of ``mmer import biovid``: its list of samples and its biosignals."""
