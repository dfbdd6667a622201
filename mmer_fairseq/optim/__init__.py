"""Learning rates that fairseq lacks: a schedule in epochs, encoders with rates of their own."""
