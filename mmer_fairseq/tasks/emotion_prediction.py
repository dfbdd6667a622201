"""Task ``emotion_prediction``: a corpus, its label space and the streams that a model gets from it."""

import contextlib
import logging
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
from fairseq.tasks import FairseqTask, register_task

from mmer_fairseq import compat
from mmer_fairseq.corpus import Corpus
from mmer_fairseq.corpus.legacy import LEGACY_SPACES
from mmer_fairseq.criterions import objectives
from mmer_fairseq.data.batching import BatchedDataset
from mmer_fairseq.data.dataset import EmotionDataset
from mmer_fairseq.data.dialogues import check_context, plan_dialogues
from mmer_fairseq.data.dropping import parse_dropout
from mmer_fairseq.data.flags import comma_list
from mmer_fairseq.data.plan import empty, plan_streams, plan_windows
from mmer_fairseq.data.reading import reading_state
from mmer_fairseq.data.second_task import SecondTask, plan_second_task
from mmer_fairseq.data.stream_state import check_stream, filled_gaps, stream_state, told_rate
from mmer_fairseq.data.task_config import EmotionPredictionConfig
from mmer_fairseq.data.trace_dataset import TraceDataset
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError
from mmer_fairseq.optim import encoder_lr

logger = logging.getLogger(__name__)

CRITERION = "emotion_prediction_cri"

#: The original's target flags: legacy label space, objective.
TARGETS = {
    "regression_target_mos": ("mosi", "l1"),
    "regression_target": ("mosi", "mse"),
    "binary_target_iemocap": ("iemocap", "binary_softmax"),
    "softmax_target_meld": ("meld", "softmax"),
    "softmax_target_binary_meld": ("meld", "binary_softmax"),
}


@register_task("emotion_prediction", dataclass=EmotionPredictionConfig)
class EmotionPrediction(FairseqTask):
    """Reads a corpus for any of the systems.

    Attributes:
        corpus: the data set.
        labels: the label space to predict.
        objective: name of the training objective.
        streams: modality → what the model's encoder of it gets.
        over_time: the labels are traces: models give one output a step.
        windows: over the traces; None where the labels are of whole clips.
        trains: the training split is read with chance; False where a command only evaluates.
        num_outputs: width of the model's output.
        reading: how clips are read, see ``mmer_fairseq.data.reading``; checkpoints keep it.
        label_weights: of the loss, one a label; None: not asked for, or not yet known.
        second: labelled faces to learn from, too; None: there are none.
        thresholds: ``split`` and ``values`` that were chosen in validation; None: none yet.
    """

    @classmethod
    def add_args(cls, parser: Any) -> None:
        super().add_args(parser)
        compat.accept_data_flag(parser)

    def __init__(
        self, cfg: EmotionPredictionConfig, **_: Any
    ) -> None:  # fairseq-fixed adds from_checkpoint=True
        super().__init__(cfg)
        compat.connect_hydra(cfg)
        legacy, asked = _asked_targets(cfg)
        self.corpus = Corpus.load(
            cfg.data, labels=cfg.labels, legacy_labels=LEGACY_SPACES[legacy] if legacy else None
        )
        self.labels = self.corpus.label_space
        self.objective = asked or objectives.default_objective(self.labels.kind)
        self.num_outputs = objectives.outputs(self.labels.kind, self.objective, self.labels.size)
        self._check_numbers()
        self.windows = plan_windows(cfg, self.corpus)
        self.over_time = self.windows is not None
        self.plan = plan_streams(cfg, self.corpus, compat.train_subset())
        self.streams: Dict[str, StreamSpec] = {m: stream.spec for m, stream in self.plan.items()}
        self.reading = reading_state(
            cfg,
            self.corpus,
            self.plan,
            objective=self.objective,
            num_outputs=self.num_outputs,
            windows=self.windows,
        )
        self._iterators: Dict[BatchedDataset, Any] = {}
        self.evaluated: Optional[BatchedDataset] = None
        self.trains = True
        self.label_weights: Optional[List[float]] = None
        self.thresholds: Optional[Dict[str, Any]] = None
        self.criterion: Any = None
        self.rates = encoder_lr.EncoderRates(cfg.text_lr_factor, cfg.video_lr_factor, cfg.text_layer_decay)
        self.second = self._plan_second_task()
        if cfg.context:
            check_context(cfg.context, self.plan.get("text"), self.corpus)
        for remark in self.corpus.remarks:
            logger.warning("%s", remark)
        for split, left_out in self.corpus.left_out.items():
            _name_left_out(
                split, [f"{clip} ({label})" for clip, label in left_out], "their label is not predicted"
            )

    def _plan_second_task(self) -> Optional[SecondTask]:
        if compat.RUN["command"] == "validate" or self.over_time:
            return None
        return plan_second_task(self.cfg, self.plan.get("video"), compat.seed(), self._bad_clips())

    def _bad_clips(self) -> str:
        return str(getattr(self.cfg.bad_clips, "value", self.cfg.bad_clips))

    def _check_numbers(self) -> None:
        given, wanted = self.cfg.num_classes, {self.labels.size, self.num_outputs}
        if given and given not in wanted:
            raise InputError.of(
                where="--num-classes",
                expected=f"{self.labels.size}, the size of label space {self.labels.name}",
                found=given,
                remedy="leave the flag out, or choose another label space with --labels",
            )
        common = getattr(compat.RUN["cfg"], "common", None)
        others = [name for name in ("fp16", "bf16", "amp") if getattr(common, name, False)]
        if self.cfg.autocast_bf16 and others and compat.RUN["command"] == "train":
            raise InputError.of(
                where="--autocast-bf16",
                expected="no other flag of half precision beside it",
                found=", ".join(f"--{name}" for name in others),
                remedy="leave one of them out",
            )
        for flag, only in (("init_token", 0), ("separator_token", 2)):
            if getattr(self.cfg, flag) != only:
                raise InputError.of(
                    where="--" + flag.replace("_", "-"),
                    expected=str(only),
                    found=getattr(self.cfg, flag),
                    remedy="leave the flag out: the tokenizer decides",
                )

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> Any:
        # 0.12.2 and fairseq-fixed disagree on how to pass from_checkpoint on; neither needs it for our models
        model = super().build_model(cfg)
        used = getattr(model, "modalities", tuple(self.streams))
        self.streams = {m: spec for m, spec in self.streams.items() if m in used}
        if self.second is not None and not hasattr(model, "face_logits"):
            raise InputError.of(
                where="--aux-data",
                expected="an architecture with a face model of its own (facialmmt…)",
                found=getattr(cfg, "_name", type(model).__name__),
                remedy="leave out --aux-data, or choose another --arch",
            )
        if compat.RUN["command"] == "train":
            encoder_lr.mark(model, self.rates)
        return model

    def load_dataset(self, split: str, combine: bool = False, task_cfg: Any = None, **kwargs: Any) -> None:
        clips = self.corpus.clips(split)
        training = self.trains and split == compat.train_subset() and compat.RUN["command"] != "validate"
        if self.cfg.eval_matric and self.labels.kind == "score" and not training:
            zero = [clip for clip in clips if isinstance(clip.label, tuple) and not any(clip.label)]
            _name_left_out(split, [clip.id for clip in zero], "--eval-matric leaves out the label 0")
            clips = [clip for clip in clips if clip not in zero]
        if not clips:
            raise InputError.of(
                where=f"{self.corpus.directory}, {split}",
                expected=f"clips with a label to predict ({', '.join(self.labels.names)})",
                found="none: the label space or --eval-matric leaves out all of them",
                remedy="choose another split or label space",
            )
        sources: Dict[str, Any] = {m: stream.source for m, stream in self.plan.items() if m in self.streams}
        nothing = {m: empty(spec) for m, spec in self.streams.items()}
        options: Dict[str, Any] = dict(
            directory=self.corpus.directory,
            training=training,
            shuffle=training and not self.cfg.no_shuffle,
            seed=compat.seed(),
            dropout=parse_dropout(self.cfg.modality_dropout, tuple(self.streams)) if training else None,
            bad_clips=self._bad_clips(),
        )
        if self.windows is None:
            spoken = [
                *self.corpus.clips(split),
                *(clip for clip in self.corpus.others if clip.split == split),
            ]
            dialogues = plan_dialogues(self.cfg.context, sources.get("text"), spoken, options["bad_clips"])
            options.update(dialogues=dialogues, second=self.second if training else None)
            self.datasets[split] = EmotionDataset(clips, sources, nothing, self.labels, **options)
        else:
            self.datasets[split] = TraceDataset(clips, sources, nothing, self.labels, self.windows, **options)

    def get_batch_iterator(self, dataset: Any, **kwargs: Any) -> Any:
        compat.close_workers(self._iterators.get(dataset))
        iterator = self._iterators[dataset] = super().get_batch_iterator(dataset, **kwargs)
        # the dataset has shuffled clips; shuffling batches on top would tie their order to the number of processes
        iterator.disable_shuffling, iterator.shuffle = True, False
        if not dataset.training:
            self.evaluated = dataset
            if self.criterion is not None:
                self.criterion.begin_split(dataset.clips[0].split, len(dataset))
        return iterator

    def filter_indices_by_size(
        self, indices: Any, dataset: Any, max_positions: Any = None, ignore_invalid_inputs: bool = False
    ) -> Any:
        limit = max_positions if isinstance(max_positions, (int, float)) else None
        too_long: List[int] = [] if limit is None else [i for i in indices if dataset.num_tokens(i) > limit]
        if too_long and (not ignore_invalid_inputs or len(too_long) == len(indices)):
            raise dataset.too_long(too_long[0], limit)
        _name_left_out(
            "train", [dataset.clip_of(i).id for i in too_long], f"longer than --max-tokens ({limit} steps)"
        )
        return indices[~np.isin(indices, too_long)] if too_long else indices

    def train_step(self, sample: Any, *args: Any, **kwargs: Any) -> Any:
        with self._naming_clips(sample, self.datasets.get(compat.train_subset())):
            return super().train_step(sample, *args, **kwargs)

    def valid_step(self, sample: Any, model: Any, criterion: Any) -> Any:
        if not sample:  # a process that has one batch less than the others
            return 0.0, 0, criterion.no_logging()
        with self._naming_clips(sample, self.evaluated):
            return super().valid_step(sample, model, criterion)

    def optimizer_step(self, optimizer: Any, model: Any, update_num: int) -> None:
        with encoder_lr.at_their_rates(optimizer, self.rates):
            super().optimizer_step(optimizer, model=model, update_num=update_num)

    @contextlib.contextmanager
    def _naming_clips(self, sample: Any, dataset: Optional[BatchedDataset]) -> Iterator[None]:
        """Model and criterion know a clip only by its row in the batch: their errors get its name and place."""
        try:
            yield
        except InputError as error:
            clips = [] if dataset is None else [dataset.clip_of(i) for i in sample["id"].tolist()]
            rows = [f"{row}: {clip.id} ({clip.where})" for row, clip in enumerate(clips)]
            raise InputError(f"{error} Rows of the batch: {_first(rows, 16)}.") from error

    def reduce_metrics(self, logging_outputs: Any, criterion: Any) -> None:
        super().reduce_metrics(logging_outputs, criterion)
        criterion.log_metrics(logging_outputs)
        if compat.RUN["command"] == "validate":  # called once a subset, after its last batch
            scored = int(sum(int(log["clips"]) for log in logging_outputs))
            self._finish(scored, criterion)

    def post_validate(self, model: Any, stats: Any, agg: Any) -> None:
        """Called by ``fairseq-train`` after each validated subset."""
        scored = int(agg["_clips"].sum)
        if not compat.validation_cut_short():
            self._finish(scored, self.criterion)

    def build_criterion(self, cfg: Any, from_checkpoint: bool = False) -> Any:
        name = getattr(cfg, "_name", None)
        if name != CRITERION:
            raise InputError.of(
                where="--criterion", expected=CRITERION, found=name, remedy=f"write --criterion {CRITERION}"
            )
        self.criterion = super().build_criterion(cfg)
        return self.criterion

    def _finish(self, scored: int, criterion: Any) -> None:
        dataset = self.evaluated
        if dataset is not None and scored != len(dataset):
            raise RuntimeError(
                f"{scored} clips were scored, but the split has {len(dataset)}: the metrics are wrong"
            )
        if dataset is not None:
            criterion.write_predictions(dataset)

    def max_positions(self) -> None:
        """No limit of the task's own: streams are cut when they are read."""
        return None

    @property
    def source_dictionary(self) -> None:
        return None

    @property
    def target_dictionary(self) -> None:
        return None

    def state_dict(self) -> Dict[str, Any]:
        """What a checkpoint remembers: the streams and labels its model was trained on, and its numbers a label."""
        return {
            "label_weights": self.label_weights,
            "thresholds": self.thresholds,
            "streams": {m: state for m, state in stream_state(self.plan).items() if m in self.streams},
            "labels": {"name": self.labels.name, "kind": self.labels.kind, "names": list(self.labels.names)},
            "reading": self.reading,
        }

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Check that this corpus is of the checkpoint's form; modalities that it or the user leaves out are missing.

        Raises:
            InputError: label space, width of features or tokenizer differ.
        """
        self._check_labels(state_dict.get("labels"))
        self.label_weights, self.thresholds = state_dict.get("label_weights"), state_dict.get("thresholds")
        trained = state_dict.get("streams")
        if not trained:
            return
        for modality, stream in self.plan.items():
            if modality in trained:
                check_stream(modality, trained[modality], stream_state({modality: stream})[modality])
            elif modality in comma_list(self.cfg.modalities):
                raise InputError.of(
                    where="--modalities",
                    expected=f"modalities that the checkpoint was trained on ({', '.join(trained)})",
                    found=repr(modality),
                    remedy="leave it out",
                )
        self._tell_of_gaps(state_dict)
        self.streams = {
            m: StreamSpec(**{k: v for k, v in spec.items() if k != "fingerprint"})
            for m, spec in trained.items()
        }

    def _tell_of_gaps(self, state_dict: Dict[str, Any]) -> None:
        if self.corpus.description.picture_clock != "clip":
            return
        for modality in filled_gaps(state_dict.get("reading") or {}, self.plan):
            logger.warning(
                "%s: this version leaves out pictures that are missing; the one that trained the checkpoint showed the "
                "picture before in their place, and so does mmer predict with it",
                modality,
            )

    def continue_from(self, state_dict: Dict[str, Any], *, fine_tuning: bool) -> None:
        """Check that training can go on from a checkpoint; called before ``fairseq-train`` takes its weights.

        Args:
            state_dict: what :meth:`state_dict` gave when the checkpoint was written ({}: written elsewhere).
            fine_tuning: other labels are welcome, with a new output layer, and pictures at another rate, with a
                warning.

        Raises:
            InputError: modalities, vocabulary, stored features, encoders or labels are others.
        """
        trained = state_dict.get("streams", {})
        if trained and set(trained) != set(self.streams):
            raise InputError.of(
                where="--modalities",
                expected=f"those of the checkpoint to go on from ({', '.join(trained)})",
                found=", ".join(self.streams),
                remedy=f"give --modalities {','.join(trained)}, another checkpoint, or another --save-dir",
            )
        for modality, state in trained.items():
            here = stream_state({modality: self.plan[modality]})[modality]
            if fine_tuning and here["form"] == "frames" and state.get("rate") not in (None, here["rate"]):
                now, before = told_rate(here["rate"]), told_rate(state["rate"])
                logger.warning("%s: fine-tuned on %s, trained on %s", modality, now, before)
                state = {**state, "rate": here["rate"]}
            check_stream(modality, state, here)
        if not fine_tuning:
            self._tell_of_gaps(state_dict)
            self._check_labels(state_dict.get("labels"))
            if self.criterion is not None and self.criterion.tuned:
                self.thresholds = state_dict.get("thresholds")
                self.criterion.use_thresholds()

    def _check_labels(self, trained: Optional[Dict[str, Any]]) -> None:
        found = {"kind": self.labels.kind, "names": list(self.labels.names)}
        if trained and {key: trained[key] for key in found} != found:
            raise InputError.of(
                where=self.corpus.directory,
                expected=f"the checkpoint's label space ({trained['kind']}: {', '.join(trained['names'])})",
                found=f"{self.labels.name} ({self.labels.kind}: {', '.join(self.labels.names)})",
                remedy="choose a matching one with --labels, or another checkpoint",
            )


def _asked_targets(cfg: EmotionPredictionConfig) -> Any:
    flags = [name for name in TARGETS if getattr(cfg, name)]
    if len(flags) > 1 or (flags and cfg.objective):
        named = ["--" + name.replace("_", "-") for name in flags] + (["--objective"] if cfg.objective else [])
        raise InputError.of(
            where="command line", expected="one target", found=" and ".join(named), remedy="leave one of them"
        )
    return TARGETS[flags[0]] if flags else ("", cfg.objective)


def _name_left_out(split: str, names: List[str], why: str) -> None:
    if names:
        logger.warning("%s: %d clips left out, %s: %s", split, len(names), why, _first(names, 10))


def _first(names: List[str], number: int) -> str:
    return ", ".join(names[:number]) + (" …" if len(names) > number else "")
