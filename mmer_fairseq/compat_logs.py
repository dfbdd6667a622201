"""Work-arounds for what fairseq writes into its logs; applied with the others of ``compat.py``."""

from __future__ import annotations

import logging
import os
from typing import Any

import torch


def exact_numbers_in_logs() -> None:
    """Print metrics with nine significant digits, and never the raw sums they are made from.

    Why: fairseq prints six digits, too few to compare a printed metric with another program's to 1e-6; and
    ``fairseq-validate`` shows every logged sum, confusion counts included, on its progress bar.
    Can go: when the number of digits is an option.
    """
    from fairseq.logging import progress_bar

    original = progress_bar.format_stat

    def format_stat(stat: Any) -> Any:
        if isinstance(stat, float):
            return f"{stat:.9g}"
        if torch.is_tensor(stat) and stat.numel() > 1:
            return "…"
        return original(stat)

    progress_bar.format_stat = format_stat


def log_file_opened_once() -> None:
    """``--log-file`` gets each line once.

    Why: fairseq opens the file anew for the training and the validation of each epoch and closes none, so that
    epoch n writes every line n times, and a run of some hundred epochs ends with too many open files.
    Can go: when fairseq opens it once.
    """
    from fairseq.logging import progress_bar

    original = progress_bar.progress_bar

    def once(iterator: Any, *args: Any, log_file: str | None = None, **kwargs: Any) -> Any:
        handlers = progress_bar.logger.handlers
        there = {h.baseFilename for h in handlers if isinstance(h, logging.FileHandler)}
        return original(
            iterator, *args, log_file=None if os.path.abspath(log_file or "") in there else log_file, **kwargs
        )

    progress_bar.progress_bar = once
