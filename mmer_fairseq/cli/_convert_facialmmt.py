"""``mmer convert --from facialmmt``: the multimodal model with its face model, or the model of picture alone."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from mmer_fairseq.checkpoints import facialmmt, fairseq_form, language_model, swin_face
from mmer_fairseq.cli._convert_flags import fairseq_flags
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.state import check_state
from mmer_fairseq.modules.swin_face import SwinFace
from mmer_fairseq.networks.facialmmt import FacialMMT

#: What the original's command line says where nobody says otherwise.
HEADS = 12
#: Logits beside the 512 numbers of a frame.
EMOTIONS = 7
#: Arguments of the network → flags of the model.
_FLAGS = {
    "dim": "encoder_embed_dim",
    "ffn_dim": "encoder_ffn_embed_dim",
    "audio_layers": "audio_layers",
    "video_layers": "video_layers",
    "ta_layers": "ta_layers",
    "tav_layers": "tav_layers",
    "audio_steps": "max_audio_steps",
    "video_steps": "max_video_steps",
}


@dataclass(frozen=True)
class Converted:
    """What the files hold, under our names.

    Attributes:
        network: a state dict of :class:`FacialMMT`, and the arguments that the tensors tell.
        arguments: those.
        language: "roberta", "bert", or "" where there is none; its settings, and its tensors.
        face: a state dict of :class:`SwinFace`; empty where no face model was named.
        face_arguments: those of it that the tensors tell.
    """

    network: dict[str, Tensor]
    arguments: dict[str, Any]
    language: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, Tensor] = field(default_factory=dict)
    face: Mapping[str, Tensor] = field(default_factory=dict)
    face_arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def flags(self) -> dict[str, Any]:
        """Flags of the model that the tensors tell."""
        return {flag: self.arguments[name] for name, flag in _FLAGS.items() if name in self.arguments}


def read(old: Path, swin: Path | None, heads: int) -> Converted:
    """Read the files.

    Args:
        old: the multimodal model, or that of picture alone.
        swin: the face model that was trained with it; None: there is none.
        heads: attention heads.

    Raises:
        InputError: a file is another one, or they do not belong together.
    """
    state, language, words = facialmmt.split_language_model(facialmmt.read(old))
    told = facialmmt.sizes_of(state, old).arguments()
    if heads < 1 or told["dim"] % heads:
        raise InputError.of(
            where="--heads",
            expected=f"a number that divides the file's width of {told['dim']}",
            found=heads,
            remedy="give the number of heads that it was trained with",
        )
    network = facialmmt.to_network(state, old)
    own = FacialMMT(heads=heads, ta_heads=heads, tav_heads=heads, original_behaviour=True, **told)
    check_state(own, network, old)
    settings = language_model.settings_of(language, words, old) if language else {}
    if language and settings["hidden_size"] != told["dims"].get("text"):
        raise InputError.of(
            where=old,
            expected=f"a language model of width {told['dims'].get('text')}, which its network reads",
            found=f"width {settings['hidden_size']}",
            remedy="name the file that the original saved",
        )
    face, sizes = _face(swin, told) if swin else ({}, {})
    return Converted(network, told, language, settings, words, face, sizes)


def _face(path: Path, told: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    state = swin_face.backbone_of(facialmmt.read(path, swin_face.WHAT))
    sizes = swin_face.arguments_of(state, path)
    if "outputs" not in sizes or len(told["dims"]) == 1:
        raise InputError.of(
            where=f"--swin {path}",
            expected="the face model of a multimodal FacialMMT (best_swin_….pt), with its emotion layers",
            found="one without them" if "outputs" not in sizes else "a model of picture alone to go with it",
            remedy="name that file" if "outputs" not in sizes else "leave --swin out",
        )
    weights = swin_face.to_network(state, path)
    check_state(SwinFace(**sizes), weights, path)
    return weights, sizes


def run(args: argparse.Namespace) -> int:
    """Convert the files and say what was done with each part of them."""
    found = read(args.old, args.swin, args.heads)
    folder = args.new.with_name(f"{args.new.stem}.{found.language}")
    if found.language:
        fairseq_form.refuse_existing(folder)
    modalities = list(found.arguments["dims"])
    task: dict[str, Any] = {"modalities": ",".join(modalities)}
    task.update({f"{m}_encoder": "identity" for m in modalities})
    if found.language and "text" not in str(args.features):
        task["text_encoder"] = f"{found.language}:{folder}"
    face_file = args.new.with_name(f"{args.new.stem}.swin.pt")
    if found.face and args.facenet:
        task["video_encoder"] = f"swin_face:{face_file}+{args.facenet}"
    task.update({name: getattr(args, name) for name in ("data", "features") if getattr(args, name)})
    heads = dict.fromkeys(("encoder_attention_heads", "ta_heads", "tav_heads"), args.heads)
    flags = {"_name": "facialmmt", **found.flags, **heads, "original_behaviour": True}
    flags["frame_emotions"] = EMOTIONS if len(modalities) > 1 and "video" in modalities else 0
    model = {f"network.{name}": x for name, x in found.network.items()}
    content = fairseq_form.checkpoint(model, **fairseq_flags("facialmmt", flags, task))
    fairseq_form.save(content, args.new)
    print(
        f"{args.new}: {', '.join(modalities)}, width {found.arguments['dim']}, {args.heads} heads, "
        f"{found.arguments['outputs']} outputs, with the original's behaviour"
    )
    if found.language:
        language_model.write_folder(found.settings, found.words, folder)
        print(f"  its language model is in {folder}, for --text-encoder {found.language}:{folder}")
    if found.face:
        fairseq_form.refuse_existing(face_file)
        shutil.copyfile(args.swin, face_file)
        print(f"  its face model is in {face_file}")
        if not args.facenet:
            print("  to read faces, name the weights of InceptionResnetV1 with --facenet, or store both:")
            print(
                f"  mmer extract CORPUS --modality video --encoder swin_face:{face_file}+FACENET --name faces"
            )
    elif "video" in modalities and len(modalities) > 1:
        print("  without a face model: name best_swin_….pt with --swin to read faces")
    return 0
