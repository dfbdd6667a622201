"""``--lr-scheduler mystep``: JMT's schedule, which counts epochs; fairseq's ``step`` counts updates."""

from dataclasses import dataclass, field
from typing import Any, List, Optional

from fairseq.dataclass import FairseqDataclass
from fairseq.optim.lr_scheduler import FairseqLRScheduler, register_lr_scheduler
from omegaconf import II

from mmer_fairseq.errors import InputError


@dataclass
class MyStepConfig(FairseqDataclass):
    step_size: int = field(default=40, metadata={"help": "epochs between two decays, 1 or more"})
    gamma: float = field(
        default=0.1, metadata={"help": "the learning rate is multiplied by it, above 0 to 1"}
    )
    min_lr: float = field(default=1e-7, metadata={"help": "the learning rate never falls below it"})
    lr: List[float] = field(default=II("optimization.lr"))


@register_lr_scheduler("mystep", dataclass=MyStepConfig)
class MyStep(FairseqLRScheduler):
    """lr · gamma^⌊(epoch - 1) / step_size⌋, not below ``min_lr``; epochs count from 1.

    Source: the code of Waligora et al., CVPRW 2024, where epochs count from 0.

    Raises:
        InputError: several learning rates, or a number that cannot be.
    """

    def __init__(self, cfg: MyStepConfig, optimizer: Any) -> None:
        super().__init__(cfg, optimizer)
        for flag, value, fits, expected in (
            ("--lr", list(cfg.lr), len(cfg.lr) == 1, "one learning rate"),
            ("--step-size", cfg.step_size, cfg.step_size >= 1, "1 epoch or more"),
            ("--gamma", cfg.gamma, 0 < cfg.gamma <= 1, "a number above 0, at most 1"),
            ("--min-lr", cfg.min_lr, cfg.min_lr >= 0, "0 or more"),
        ):
            if not fits:
                raise InputError.of(
                    where=f"--lr-scheduler mystep, {flag}",
                    expected=expected,
                    found=value,
                    remedy="correct it",
                )
        self.optimizer.set_lr(self._of(1))

    def _of(self, epoch: int) -> float:
        return max(self.cfg.lr[0] * self.cfg.gamma ** ((epoch - 1) // self.cfg.step_size), self.cfg.min_lr)

    def step_begin_epoch(self, epoch: int) -> float:
        """Set the learning rate of an epoch."""
        self.optimizer.set_lr(self._of(epoch))
        return self.optimizer.get_lr()

    def step(self, epoch: int, val_loss: Optional[float] = None) -> float:
        """Nothing changes before the next epoch begins."""
        super().step(epoch, val_loss)
        return self.optimizer.get_lr()
