"""A checkpoint and a split of a corpus → what is needed to score one on the other, as ``fairseq-validate`` has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from mmer_fairseq import compat
from mmer_fairseq.corpus import MODALITIES
from mmer_fairseq.errors import InputError


@dataclass
class Trained:
    """A trained model, ready for the clips of one split.

    Attributes:
        task: with the checkpoint's flags.
        model: in evaluation mode, on ``device``.
        criterion: of the checkpoint.
        dataset: the split, read without chance.
        metric: the checkpoint was chosen by it; the label space's first one where that is not a metric of it.
        device: cpu or cuda.
    """

    task: Any
    model: Any
    criterion: Any
    dataset: Any
    metric: str
    device: str

    def forms(self) -> dict[str, str]:
        """Modality that both model and corpus have → the form in which it is read.

        Raises:
            InputError: there is none.
        """
        streams, sources = self.task.streams, self.dataset.sources
        found = {m: streams[m].form for m in MODALITIES if m in streams and m in sources}
        if not found:
            raise InputError.of(
                where=self.task.corpus.directory,
                expected=f"a modality that the checkpoint was trained on ({', '.join(streams)})",
                found=", ".join(self.task.plan),
                remedy="name another corpus or another checkpoint",
            )
        return found

    def batches(self, batch_size: int, workers: int) -> Iterator[dict[str, Any]]:
        """All clips once, long ones first, on the model's device; a bar shows how far it is."""
        from fairseq import utils

        iterator = self.task.get_batch_iterator(
            dataset=self.dataset,
            max_sentences=batch_size,
            max_positions=utils.resolve_max_positions(self.task.max_positions(), self.model.max_positions()),
            num_workers=workers,
        )
        try:
            epoch = iterator.next_epoch_itr(shuffle=False)
            for batch in tqdm(epoch, desc="scoring", unit="batch", disable=None):
                yield utils.move_to_cuda(batch) if self.device == "cuda" else batch
        finally:
            compat.close_workers(iterator)


def load_trained(path: str, data: str, split: str, *, flags: Mapping[str, Any], cpu: bool) -> Trained:
    """Load a checkpoint for a split.

    Args:
        path: of the checkpoint.
        data: corpus folder.
        split: of the corpus.
        flags: flags of the task that replace those of the training run; None: as it was.
        cpu: do not use a GPU that is there.

    Raises:
        InputError: no checkpoint of this plugin, no such split, or a corpus that does not fit it.
    """
    from fairseq import checkpoint_utils

    overrides = {name: value for name, value in flags.items() if value is not None}
    models, cfg, task = checkpoint_utils.load_model_ensemble_and_task(
        [path], arg_overrides={**overrides, "data": data}
    )
    device = "cuda" if torch.cuda.is_available() and not cpu else "cpu"
    model = models[0].eval().to(device)
    criterion = task.build_criterion(cfg.criterion).eval()
    criterion.predictions = None  # of --save-predictions: one file cannot hold many conditions
    task.trains = False  # the training split, too, is read whole and in order
    task.load_dataset(split)
    dataset = task.dataset(split)
    chosen = getattr(getattr(cfg, "checkpoint", None), "best_checkpoint_metric", None)
    names = criterion.metrics.names
    metric = str(chosen) if chosen in names else names[0]
    return Trained(task, model, criterion, dataset, metric, device)
