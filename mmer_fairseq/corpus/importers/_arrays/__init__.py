"""Parts of ``mmer import arrays``: reading npz and CSV files, matching ids, writing the corpus."""
