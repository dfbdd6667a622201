"""Criterion ``emotion_prediction_cri``: objective of the label space, auxiliary losses, sums to make metrics from."""

import logging
import math
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics as log
from torch import Tensor

from mmer_fairseq import compat, metrics
from mmer_fairseq.criterions import objectives, second_task
from mmer_fairseq.criterions import thresholds as tuning
from mmer_fairseq.criterions.auxiliary import optimised
from mmer_fairseq.criterions.label_weights import label_weights
from mmer_fairseq.criterions.predictions import Predictions
from mmer_fairseq.criterions.whole_split import WholeSplit
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

#: Before the keys of the sums, so that fairseq keeps them but does not show them.
HIDDEN = "_"


@dataclass
class EmotionPredictionCriterionConfig(FairseqDataclass):
    save_predictions: Optional[str] = field(
        default=None,
        metadata={"help": "write id, target, prediction and scores of every evaluated clip to this TSV file"},
    )
    main_weight: float = field(
        default=1.0, metadata={"help": "weight of the main output's loss, for models with auxiliary outputs"}
    )
    auxiliary_weight: str = field(
        default="1.0",
        metadata={
            "help": "weight of each auxiliary output's loss, for models with some: a number, or audio=0.3,video=0.3"
        },
    )


@register_criterion("emotion_prediction_cri", dataclass=EmotionPredictionCriterionConfig)
class EmotionPredictionCriterion(FairseqCriterion):
    """Scores a model's logits against the corpus' labels.

    The loss is summed; its gradient is divided by the sample size: clips, or labelled values of traces. What is
    logged are sums alone, so that any batch size and number of processes gives the same metrics. What needs all scores
    of an evaluated split, AUC and chosen thresholds, is made from them once, with its last batch.

    Args:
        cfg: the flags above.
        task: gives label space and objective.
    """

    def __init__(self, cfg: EmotionPredictionCriterionConfig, task: Any) -> None:
        super().__init__(task)
        self.cfg = cfg
        labels = task.labels
        self.kind = labels.kind
        self.objective = objectives.objective(labels.kind, task.objective, weights=label_weights(task))
        self.metrics = metrics.build(
            labels.kind,
            labels.names,
            task.objective,
            range=labels.range,
            eval_matric=bool(task.cfg.eval_matric),
        )
        self._keys = list(self.metrics.zeros())
        self._memo: Tuple[Any, Dict[str, float]] = (None, {})
        self.tuned = tuning.asked(task)
        # a validation cut short has no end, and a program other than fairseq's two asks for sums alone
        whole = compat.RUN["command"] != "" and not compat.validation_cut_short()
        self.whole = WholeSplit() if whole and self.metrics.ranks else None
        self.use_thresholds()
        path = cfg.save_predictions or task.cfg.save_predictions
        self.predictions = Predictions(path, labels, task.objective, self.metrics.predict) if path else None
        self._check_selection()

    @classmethod
    def build_criterion(cls, cfg: Any, task: Any) -> "EmotionPredictionCriterion":
        return cls(cfg, task)

    def _check_selection(self) -> None:
        """Refuse a wrong ``--best-checkpoint-metric`` before the first epoch, not after it."""
        cfg = compat.RUN["cfg"]
        if compat.RUN["command"] != "train" or cfg is None or cfg.dataset.disable_validation:
            return
        ranked = dict.fromkeys(self.metrics.ranked_names if self.whole else (), True)
        compat.check_selection(cfg.checkpoint, {"loss": False, **self.metrics.higher_is_better, **ranked})

    def use_thresholds(self) -> None:
        """Decide at the thresholds that the task holds, if ``--thresholds valid`` asks for them."""
        if self.tuned:
            tuning.use_stored(self.task, self.metrics)

    def begin_split(self, split: str, size: int) -> None:
        """Called before ``size`` clips of a split are evaluated."""
        if self.whole is not None:
            self.whole.begin(split, size)

    def forward(
        self, model: Any, sample: Dict[str, Any], reduce: bool = True
    ) -> Tuple[Any, float, Dict[str, Any]]:
        """Loss, sample size and sums of one batch (see ``mmer_fairseq.data.collate`` for its form)."""
        output = self._run(model, sample)
        if "face_target" in sample and not sample["net_input"]["streams"]:
            return self._faces_alone(output["face_logits"], sample)
        logits, target, mask = output["logits"], sample["target"], sample.get("target_mask")
        self._check_shape(logits, target)
        if self.kind == "trace":
            logits = objectives.fit_steps(logits, target.shape[1])
        loss, terms = self.objective.loss(logits, target, mask)
        logging: Dict[str, Any] = {"loss": float(loss.detach()), "clips": len(target)}
        loss = optimised(self.objective.loss, loss, output, target, mask, self.cfg)
        size = terms if self.kind == "trace" else len(target)
        if "face_target" in sample:
            faces, about = self._face_loss(output["face_logits"], sample)
            loss = loss + self.task.cfg.aux_weight * faces * (size / about["aux_faces"])
            logging.update(about)
        overflow = model.training and logits.dtype == torch.float16 and not bool(logits.isfinite().all())
        # --fp16 lowers its loss scale after an overflow and goes on; in single precision the metrics stop the run
        sums = self.metrics.zeros() if overflow else self.metrics.sums(logits.detach(), target, mask)
        if self._chooses_here() and not model.training:
            sums["exact"] = torch.zeros_like(sums["exact"])  # of no use before the thresholds are known
        logging.update({HIDDEN + key: value for key, value in sums.items()})
        logging.update(
            total_loss=float(loss.detach()),
            sample_size=size,
            nsentences=len(target),
            ntokens=sample["ntokens"],
        )
        if self.whole is not None and not model.training:
            self.whole.add(sample["id"], *self.metrics.margins(logits, target))
        if self.predictions is not None and not model.training:
            self.predictions.add(sample["id"], logits.detach(), target, mask)
        return loss, size, logging

    def _run(self, model: Any, sample: Dict[str, Any]) -> Dict[str, Any]:
        """The model's outputs; in mixed precision they come back in single precision."""
        if not (self.task.cfg.autocast_bf16 and model.training):
            return dict(model(**sample["net_input"]))
        with torch.autocast(sample["target"].device.type, dtype=torch.bfloat16):
            output = model(**sample["net_input"])
        return {key: _single(value) for key, value in output.items()}

    def _face_loss(self, logits: Tensor, sample: Dict[str, Any]) -> Tuple[Tensor, Dict[str, float]]:
        return second_task.face_loss(
            logits, sample["face_target"], tuple(self.task.second.corpus.label_space.names)
        )

    def _faces_alone(self, logits: Tensor, sample: Dict[str, Any]) -> Tuple[Any, float, Dict[str, Any]]:
        """A batch of the second task alone: nothing is scored."""
        loss, about = self._face_loss(logits, sample)
        size = int(about["aux_faces"])
        logging = {**self.no_logging(), **about, "sample_size": size, "ntokens": size}
        return self.task.cfg.aux_weight * loss, size, logging

    def _check_shape(self, logits: Tensor, target: Tensor) -> None:
        wanted = 3 if self.kind == "trace" else 2
        if logits.dim() != wanted:
            raise InputError.of(
                where="--labels",
                expected="a trace model for labels over time, a clip model for labels of whole clips",
                found=f"{self.kind} labels, and output of shape {list(logits.shape)}",
                remedy="choose another label space with --labels, or another --arch",
            )

    def no_logging(self) -> Dict[str, Any]:
        """What a process logs that has no batch: zeros of the same form."""
        zeros = {HIDDEN + key: value for key, value in self.metrics.zeros().items()}
        plain = dict.fromkeys(("loss", "clips", "total_loss", "sample_size", "nsentences", "ntokens"), 0)
        return {**plain, **zeros}

    def log_metrics(self, logging_outputs: List[Dict[str, Any]]) -> None:
        """Hand the sums to fairseq's meters and derive every metric from their totals."""
        total = {key: sum(each[key] for each in logging_outputs) for key in self.no_logging()}
        size = float(total["sample_size"])
        faces = {key: sum(float(each.get(key, 0)) for each in logging_outputs) for key in second_task.KEYS}
        for name, value in second_task.logged(faces).items():
            log.log_scalar(name, value, faces["aux_faces"], round=9)
            if name == "aux_loss" and not total["clips"]:
                log.log_scalar("loss", value, faces["aux_faces"], round=9)
        if faces["aux_faces"] and not total["clips"]:
            return  # an epoch of faces alone
        if not size:
            logger.warning("no label in what was evaluated: there are no scores")
            return
        log.log_scalar("loss", float(total["loss"]) / size / math.log(2), size, round=9)
        if total["total_loss"] != total["loss"]:
            log.log_scalar("total_loss", float(total["total_loss"]) / size / math.log(2), size, round=9)
        log.log_scalar(HIDDEN + "clips", float(total["clips"]))
        log.log_derived(
            "windows" if self.kind == "trace" else "clips", lambda meters: int(meters[HIDDEN + "clips"].sum)
        )
        for key in self._keys:
            log.log_scalar(HIDDEN + key, torch.as_tensor(total[HIDDEN + key]).cpu().double())
        for name in self.metrics.names:
            if name != "exact_match" or not (
                self.tuned and self.training
            ):  # thresholds change within an epoch
                log.log_derived(name, lambda meters, name=name: self._derived(meters)[name])
        if self.whole is not None and not self.training and self.whole.count(round(float(total["clips"]))):
            self._log_whole_split()

    def _chooses_here(self) -> bool:
        return self.tuned and self.whole is not None and tuning.chooses(self.whole.split)

    def _log_whole_split(self) -> None:
        """Choose thresholds and log what needs all scores: once, with the last batch, in every process."""
        assert self.whole is not None
        margins, wanted = self.whole.gather()
        if self._chooses_here():
            exact = tuning.choose(self.task, self.metrics, self.whole.split, margins, wanted)
            log.log_scalar(HIDDEN + "exact", exact)
            self._memo = (None, {})  # what the same counts gave at other thresholds
        for name, value in self.metrics.compute_ranked(margins, wanted).items():
            log.log_scalar(name, value, priority=20, round=9)  # beside the derived ones

    def _derived(self, meters: Any) -> Dict[str, float]:
        sums: Dict[str, Any] = {key: meters[HIDDEN + key].sum for key in self._keys}
        first = sums[self._keys[0]]
        if self._memo[0] is not first:  # fairseq asks for each metric by itself; an update makes a new tensor
            self._memo = (first, {name: float(value) for name, value in self.metrics.compute(sums).items()})
        return self._memo[1]

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Nothing: the task calls :meth:`log_metrics`, which needs the label space."""

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True

    def write_predictions(self, dataset: Any) -> None:
        """Write what was collected for ``--save-predictions``, if it was asked for."""
        if self.predictions is not None:
            self.predictions.write(dataset)


def _single(value: Any) -> Any:
    """A tensor, or tensors by name, in single precision."""
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    return {key: _single(each) for key, each in value.items()} if isinstance(value, dict) else value
