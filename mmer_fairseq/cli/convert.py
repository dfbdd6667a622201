"""``mmer convert``: a checkpoint of an original repository → one that fairseq's commands load."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mmer_fairseq.checkpoints import fairseq_form
from mmer_fairseq.cli import (
    _convert_auxformer,
    _convert_facialmmt,
    _convert_jmt,
    _convert_mme2e,
    _convert_sse_ft,
)
from mmer_fairseq.errors import InputError

HELP = "bring in a checkpoint of an original repository"

EPILOG = """The weights of frozen encoders are left out: name the published encoders, or features that they extracted,
to train or validate. Nothing in a pickled file is ever run.

SSE-FT: with --keep-encoders they are written beside NEW, as NEW.roberta.pt, NEW.wav2vec.pt and NEW.fabnet.pt, and NEW
uses them.

  mmer convert --from sse-ft checkpoint_best.pt sse_ft.pt
  fairseq-validate CORPUS --user-dir mmer_fairseq --task emotion_prediction --path sse_ft.pt \\
      --features text=roberta,audio=wav2vec,video=fabnet

AuxFormer: final_head.pt of v2 (the state dict), with its train_norm_stat.pkl beside it or named, or the pickled
model of v1. The result computes what the original does, its treatment of padding included; to correct that, add
--model-overrides "{'original_behaviour': False}" to fairseq-validate.

  mmer convert --from auxformer final_head.pt auxformer.pt --statistics train_norm_stat.pkl
  fairseq-validate CORPUS --user-dir mmer_fairseq --task emotion_prediction --path auxformer.pt \\
      --features audio=wav2vec2,video=emoca

JMT: the folder SavedWeights of a run, or its fusion_w.pt or backbone_pretrainer_w.pt alone. The backbones are written
beside NEW, as NEW.vision_r2d1.pt, NEW.vision_i3d.pt and NEW.audio_resnet18.pt, for mmer extract; NEW predicts
valence and arousal from the features that they give. The baseline NONE attends over the batch, as in the original; to
correct that, add --model-overrides "{'original_behaviour': False}" to fairseq-validate.

  mmer convert --from jmt exps/id_1/SavedWeights jmt.pt
  fairseq-validate CORPUS --user-dir mmer_fairseq --task emotion_prediction --path jmt.pt \\
      --features video=r2plus1d,audio=resnet18,audio=wavlm

MME2E, MESM and the late-fusion baselines: a state dict in savings/models. ALBERT is written beside NEW, as the folder
NEW.albert; the face detector is left out. All but MME2E compute what the original does, MESM's scrambled first stage
and the baselines' reading of padding included.

  mmer convert --from mesm mme2e_sparse_tav_Acc_…_st_0.8_seed0.pt mesm.pt
  mmer convert --from lf-rnn lf_rnn_tav_….pt lf_rnn.pt --features text=glove,audio=covarep,video=openface

FacialMMT: multimodal_model_….pt or unimodal_model_V_….pt, pickled objects that are read without running anything in
them. The language model is written beside NEW, as the folder NEW.roberta or NEW.bert, and the face model, if it is
named, as NEW.swin.pt. The result lets padding take part as the original does.

  mmer convert --from facialmmt multimodal_T+A+V_RoBERTa.pt facialmmt.pt --swin best_swin_RoBERTa.pt \\
      --facenet 20180402-114759-vggface2.pt"""

#: System → its own flags and their defaults.
_OWN: dict[str, dict[str, Any]] = {
    "sse-ft": {"keep_encoders": False},
    "auxformer": {"heads": None, "no_attention_mask": False, "statistics": None},
    "jmt": {"heads": None, "modality": None},
    "mme2e": {"heads": None, "mod": None},
    "mesm": {"heads": None, "mod": None, "sparse_threshold": None},
    "lf-rnn": {"mod": None},
    "lf-transformer": {"mod": None},
    "facialmmt": {"heads": None, "swin": None, "facenet": None},
}
#: System → attention heads where the user says nothing.
_HEADS = {"auxformer": 10, "jmt": 1, "mme2e": _convert_mme2e.HEADS, "mesm": _convert_mme2e.HEADS}
_HEADS["facialmmt"] = _convert_facialmmt.HEADS
SYSTEMS = {
    "sse-ft": _convert_sse_ft.run,
    "auxformer": _convert_auxformer.run,
    "jmt": _convert_jmt.run,
    "facialmmt": _convert_facialmmt.run,
    **{system: _convert_mme2e.run for system in _convert_mme2e.SYSTEMS},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer convert``."""
    parser.add_argument("--from", dest="system", required=True, choices=list(SYSTEMS), help="whose it is")
    parser.add_argument("old", metavar="OLD", type=Path, help="the original's checkpoint")
    parser.add_argument("new", metavar="NEW", type=Path, help="file to write")
    parser.add_argument("--data", metavar="DIR", help="corpus to note in NEW (default: the original's)")
    parser.add_argument(
        "--features", metavar="MODALITY=NAME,…", help="stored features to note in NEW, see fairseq-train"
    )
    sse_ft = parser.add_argument_group("SSE-FT")
    sse_ft.add_argument("--keep-encoders", action="store_true", help="also write its frozen encoders")
    shared = parser.add_argument_group("AuxFormer, JMT, MME2E, MESM and FacialMMT")
    shared.add_argument(
        "--heads",
        type=int,
        help="attention heads, which the files do not tell (default: AuxFormer 10, JMT 1, FacialMMT 12, the others 4)",
    )
    auxformer = parser.add_argument_group("AuxFormer")
    auxformer.add_argument(
        "--no-attention-mask",
        action="store_true",
        help="it was trained with the original's --attn_mask, which is off",
    )
    auxformer.add_argument(
        "--statistics",
        metavar="FILE",
        type=Path,
        help="train_norm_stat.pkl (default: beside OLD, if it is there)",
    )
    jmt = parser.add_argument_group("JMT")
    jmt.add_argument(
        "--modality",
        choices=["video", "audio"],
        help="stream of a pretrained head (default: that of the backbones beside it)",
    )
    end_to_end = parser.add_argument_group("MME2E, MESM and the LF baselines")
    end_to_end.add_argument(
        "--mod",
        metavar="LETTERS",
        help="modalities that it fuses, where these are not all three: tv, ta, av, v or a",
    )
    end_to_end.add_argument(
        "--sparse-threshold",
        type=float,
        help="of MESM (default: what the name of OLD says, _st_0.8_, or 0.9)",
    )
    faces = parser.add_argument_group("FacialMMT")
    faces.add_argument(
        "--swin", metavar="FILE", type=Path, help="its face model, best_swin_….pt (default: none)"
    )
    faces.add_argument(
        "--facenet", metavar="FILE", type=Path, help="weights of InceptionResnetV1, whose features it reads"
    )


def run(args: argparse.Namespace) -> int:
    """Convert one checkpoint and say what was done with each part of it."""
    fairseq_form.refuse_existing(args.new)
    for system, flags in _OWN.items():
        others = {name: default for name, default in flags.items() if name not in _OWN[args.system]}
        given = [
            f"--{name.replace('_', '-')}"
            for name, default in others.items()
            if getattr(args, name) != default
        ]
        if system != args.system and given:
            raise InputError.of(
                where=f"--from {args.system}",
                expected=f"none of the flags of {system}",
                found=", ".join(given),
                remedy="leave them out",
            )
    if args.heads is None:
        args.heads = _HEADS.get(args.system)
    return SYSTEMS[args.system](args)
