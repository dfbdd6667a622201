"""Learning-rate schedules that fairseq lacks."""
