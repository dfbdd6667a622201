"""What fairseq's logs hold."""

from __future__ import annotations

import logging

import torch

import mmer_fairseq

mmer_fairseq.register()


def test_numbers_are_printed_with_nine_digits_and_sums_not_at_all():
    from fairseq.logging import progress_bar

    assert progress_bar.format_stat(0.123456789012) == "0.123456789"
    assert progress_bar.format_stat(torch.zeros(4)) == "…"
    assert progress_bar.format_stat(7) == "7"


def test_each_line_is_in_the_log_file_once(tmp_path, caplog):
    from fairseq.logging import progress_bar

    caplog.set_level(logging.INFO, logger=progress_bar.logger.name)
    file = tmp_path / "train.log"
    before = list(progress_bar.logger.handlers)
    try:
        for epoch in range(3):
            bar = progress_bar.progress_bar([1], log_format="json", log_file=str(file), epoch=epoch)
            with progress_bar.rename_logger(progress_bar.logger, "train"):
                bar.print({"loss": epoch}, tag="train")
        assert file.read_text().count('"train_loss"') == 3
        progress_bar.progress_bar([1], log_format="json", log_file=str(tmp_path / "other.log"))
        opened = [h for h in progress_bar.logger.handlers if isinstance(h, logging.FileHandler)]
        assert len(opened) == len([h for h in before if isinstance(h, logging.FileHandler)]) + 2
    finally:
        for handler in set(progress_bar.logger.handlers) - set(before):
            progress_bar.logger.removeHandler(handler)
            handler.close()
