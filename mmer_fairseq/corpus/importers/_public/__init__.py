"""Parts of the importers of public corpora: tables, recordings, votes, partitions, and writing the result."""
