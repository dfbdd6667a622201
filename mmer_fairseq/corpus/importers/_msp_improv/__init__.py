"""Parts of ``mmer import msp-improv``: the names of its files, and its file of evaluations."""
