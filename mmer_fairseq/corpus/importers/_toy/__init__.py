"""Parts of the toy corpus: who says what with which emotion, and how that looks, sounds and reads."""
