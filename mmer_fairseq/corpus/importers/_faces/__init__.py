"""Parts of ``mmer import faces``: the classes of the pictures, and the two forms of data sets."""
