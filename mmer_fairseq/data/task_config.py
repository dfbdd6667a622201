"""The flags of task ``emotion_prediction``."""

from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from omegaconf import MISSING


@dataclass
class EmotionPredictionConfig(FairseqDataclass):
    data: str = field(
        default=MISSING,
        metadata={"help": "corpus folder: corpus.yaml and <split>.tsv, or the older SSE-FT layout"},
    )
    labels: Optional[str] = field(
        default=None, metadata={"help": "label space of the corpus to predict (default: its first)"}
    )
    objective: Optional[str] = field(
        default=None,
        metadata={
            "help": "softmax, binary_softmax, bce, l1, mse or ccc (default: what suits the label space)"
        },
    )
    pos_weight: str = field(
        default="none",
        metadata={
            "help": "bce: weight of each label's yes: none, or train: no per yes in the training split"
        },
    )
    class_weight: str = field(
        default="none",
        metadata={"help": "softmax: none, or balanced: every class of the training split counts the same"},
    )
    thresholds: str = field(
        default="0.5",
        metadata={
            "help": "multilabel: a label holds above a probability of 0.5, or valid: above the one with the "
            "highest F1 in validation, which the checkpoint keeps"
        },
    )
    text_lr_factor: float = field(
        default=1.0, metadata={"help": "the text encoder is trained at --lr divided by this number"}
    )
    text_layer_decay: float = field(
        default=1.0,
        metadata={
            "help": "each layer of the text encoder is trained at the learning rate of the one above it times this "
            "(bert, roberta, embedding)"
        },
    )
    video_lr_factor: float = field(
        default=1.0, metadata={"help": "the picture encoder is trained at --lr divided by this number"}
    )
    modalities: Optional[str] = field(
        default=None,
        metadata={"help": "comma-separated subset of text,audio,video,physio (default: all the corpus has)"},
    )
    features: Optional[str] = field(
        default=None,
        metadata={"help": "read stored features in place of media: audio=NAME,video=NAME (see mmer extract)"},
    )
    text_encoder: Optional[str] = field(
        default=None, metadata={"help": "NAME[:PATH] of the text encoder (default: embedding)"}
    )
    audio_encoder: Optional[str] = field(
        default=None, metadata={"help": "NAME[:PATH] of the sound encoder (default: logmel)"}
    )
    video_encoder: Optional[str] = field(
        default=None, metadata={"help": "NAME[:PATH] of the picture encoder (default: frames)"}
    )
    physio_encoder: Optional[str] = field(
        default=None, metadata={"help": "NAME[:PATH] of the biosignal encoder (default: physio)"}
    )
    freeze: Optional[str] = field(
        default=None,
        metadata={"help": "modalities whose encoder is not trained (default: those with given weights)"},
    )
    finetune: Optional[str] = field(
        default=None, metadata={"help": "modalities whose encoder is trained although its weights are given"}
    )
    tokenizer_model: Optional[str] = field(  # fairseq has a --tokenizer of its own
        default=None, metadata={"help": "sentencepiece model (default: tokenizer.model in the corpus)"}
    )
    gpt2_bpe: Optional[str] = field(
        default=None, metadata={"help": "folder with encoder.json, vocab.bpe and dict.txt: RoBERTa's tokens"}
    )
    sample_rate: int = field(default=16000, metadata={"help": "sound is resampled to this many Hz"})
    max_sample_size: Optional[int] = field(
        default=None,
        metadata={"help": "longer sound is cropped to this many samples (random start in training)"},
    )
    min_sample_size: Optional[int] = field(
        default=None, metadata={"help": "shorter sound is padded with silence to this many samples"}
    )
    speed_perturbation: float = field(
        default=0.0,
        metadata={"help": "play sound up to this share faster or slower in training: 0.25 for few speakers"},
    )
    picture_augmentation: Optional[str] = field(
        default=None,
        metadata={
            "help": "change pictures in training, all of a clip alike: flip,shift=0.1,colour=0.3 (mirror half of the "
            "clips; move, zoom and stretch by up to 0.1 of the side; brightness, contrast, saturation times 0.7 to 1.3)"
        },
    )
    frame_rate: float = field(
        default=0.0, metadata={"help": "picture frames a second in Hz (0: the encoder's, or as stored)"}
    )
    frame_size: int = field(
        default=0, metadata={"help": "side of a picture frame in pixels (0: the encoder's)"}
    )
    max_frames: int = field(default=300, metadata={"help": "at most this many picture frames of a clip"})
    max_text_tokens: int = field(default=512, metadata={"help": "at most this many text tokens of a clip"})
    context: int = field(
        default=0,
        metadata={
            "help": "read a clip's text within its dialogue, up to this many tokens of it, encoded once for all its "
            "clips in a batch (0: by itself; RoBERTa and BERT: at most 512)"
        },
    )
    physio_rate: float = field(
        default=0.0, metadata={"help": "biosignals are resampled to this many Hz (0: as recorded)"}
    )
    seq_length: int = field(
        default=512, metadata={"help": "traces: steps of the trace that a sequence of sub-sequences spans"}
    )
    subseq_length: int = field(
        default=32, metadata={"help": "traces: steps of a sub-sequence, which predicts its last one"}
    )
    stride: int = field(
        default=1,
        metadata={"help": "traces: sequences to train on start at multiples of this step (evaluation: all)"},
    )
    dilation: int = field(
        default=4, metadata={"help": "traces: every so many steps of a sub-sequence give a picture"}
    )
    allow_silent: bool = field(default=False, metadata={"help": "accept sound whose samples are all equal"})
    bad_clips: ChoiceEnum(["error", "missing"]) = field(  # type: ignore[valid-type]
        default="error",
        metadata={
            "help": "a medium that cannot be read: end the run, or warn and take the modality as missing"
        },
    )
    modality_dropout: Optional[str] = field(
        default=None,
        metadata={"help": "train with clips that lose a modality at random: audio=0.2,video=0.2 (per clip)"},
    )
    aux_data: Optional[str] = field(
        default=None,
        metadata={
            "help": "corpus of labelled faces that the model's face encoder is trained on, too (facialmmt)"
        },
    )
    aux_labels: Optional[str] = field(
        default=None, metadata={"help": "its label space, of classes (default: its first)"}
    )
    aux_weight: float = field(
        default=1.0, metadata={"help": "weight of the faces' mean loss against the clips' mean loss"}
    )
    aux_batch_size: int = field(default=32, metadata={"help": "faces beside each batch of clips"})
    aux_schedule: str = field(
        default="together",
        metadata={
            "help": "together: each step learns from clips and faces; alternate: odd epochs from faces alone, even "
            "ones from clips alone"
        },
    )
    autocast_bf16: bool = field(
        default=False,
        metadata={
            "help": "train in mixed precision (torch.autocast, bfloat16), on a GPU or a CPU: faster where the "
            "processor multiplies bfloat16; weights, loss and evaluation stay in single precision"
        },
    )
    num_classes: int = field(
        default=0, metadata={"help": "checked against the label space (0: taken from it)"}
    )
    init_token: int = field(default=0, metadata={"help": "id of <s>; only the original's 0 is supported"})
    separator_token: int = field(
        default=2, metadata={"help": "id of </s>; only the original's 2 is supported"}
    )
    no_shuffle: bool = field(default=False, metadata={"help": "train in corpus order, longest clips first"})
    truncate_sequence: bool = field(
        default=False,
        metadata={"help": "accepted for old command lines: text is always cut to --max-text-tokens"},
    )
    regression_target: bool = field(default=False, metadata={"help": "a score, squared error"})
    regression_target_mos: bool = field(
        default=False, metadata={"help": "MOSI/MOSEI sentiment in [-3, 3], L1"}
    )
    binary_target_iemocap: bool = field(default=False, metadata={"help": "IEMOCAP: four yes/no decisions"})
    softmax_target_meld: bool = field(default=False, metadata={"help": "MELD: one of seven emotions"})
    softmax_target_binary_meld: bool = field(default=False, metadata={"help": "MELD: seven yes/no decisions"})
    eval_matric: bool = field(
        default=False,
        metadata={"help": "as the original: leave clips labelled exactly 0 out of evaluation (scores)"},
    )
    save_predictions: Optional[str] = field(
        default=None,
        metadata={"help": "write id, target, prediction and scores of every evaluated clip to this TSV file"},
    )
