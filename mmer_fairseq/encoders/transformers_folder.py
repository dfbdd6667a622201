"""Folders of Hugging Face whose model the optional package transformers computes: what all of them have in common."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmer_fairseq.encoders.huggingface_config import CONFIG
from mmer_fairseq.errors import InputError, optional

#: Settings that change no output of a model that is not trained.
_NEUTRAL = re.compile(r".*drop.*|mask_.*|_.*|transformers_version|architectures|(torch_)?dtype|.*token_id")

#: Settings of how the library runs a model, and what it returns besides: those of a stranger's file do not count.
_RUNNING = re.compile(
    r"_.*|(attn|experts)_implementation|(use_)?return_dict|output_(attentions|hidden_states)|torchscript|gradient_checkpointing"
)


def existing_folder(path: str, what: str) -> Path:
    """The folder that a user named.

    Args:
        path: of the folder.
        what: the model, for messages.

    Raises:
        InputError: there is none.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError.of(
            where=path,
            expected=f"a folder of Hugging Face's {what}",
            found="a file" if folder.exists() else "no such folder",
            remedy="download one, and name it (nothing is downloaded)",
        )
    return folder


class Library:
    """transformers' own classes of one model.

    Args:
        encoder: its name in the registry, for messages.
        folder: where its settings are from, for messages.
        what: the model with its article, for messages ("a WavLM").
        prefix: what the names of its classes begin with ("WavLM").

    Raises:
        InputError: transformers is not installed.
    """

    def __init__(self, encoder: str, folder: Path, what: str, prefix: str) -> None:
        self._library = _transformers(encoder)
        self._folder, self._what, self._prefix = folder, what, prefix

    def config(self, settings: Mapping[str, Any]) -> Any:
        """The library's form of settings, with attention that keeps no scores where the library has it.

        Raises:
            InputError: they make no sense to it.
        """
        own = {key: value for key, value in settings.items() if not _RUNNING.fullmatch(key)}
        if getattr(self._class("Model"), "_supports_sdpa", False):
            own["attn_implementation"] = "sdpa"
        return self._made(self._class("Config"), **own)

    def model(self, config: Any, **arguments: Any) -> Any:
        """A model with initial weights.

        Args:
            config: the library's.
            arguments: others of the model's class.

        Raises:
            InputError: there is no such model.
        """
        return self._made(self._class("Model"), config, **arguments)

    def _class(self, ending: str) -> Any:
        return getattr(self._library, self._prefix + ending)  # the library makes it when it is asked for

    def _made(self, kind: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return kind(*arguments, **named)
        except Exception as error:  # whatever a stranger's settings make the library raise
            raise InputError.of(
                where=self._folder / CONFIG,
                expected=f"settings of {self._what} model",
                found=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
                remedy="download the folder again",
            ) from error


def variant(settings: Mapping[str, Any], **more: Any) -> str:
    """What decides a model's output besides its weights, for the fingerprint.

    Args:
        settings: of its ``config.json``.
        more: whatever else does.
    """
    matters = {key: value for key, value in settings.items() if not _NEUTRAL.fullmatch(key)}
    text = json.dumps({**matters, **more}, sort_keys=True)
    return "+" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _transformers(encoder: str) -> Any:
    extra = "wavlm" if encoder == "wavlm" else "transformers"
    return optional(
        "transformers",
        where=f"encoder '{encoder}'",
        expected="the package transformers, which computes it",
        remedy=f"install it: pip install 'mmer_fairseq[{extra}]'",
    )
