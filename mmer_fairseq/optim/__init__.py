"""Learning rates that fairseq lacks: a schedule in epochs, a slower text encoder."""
