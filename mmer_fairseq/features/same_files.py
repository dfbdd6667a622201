"""Whether another machine sees the files of an extraction that the one which began it sees."""

from __future__ import annotations

import json
import os
import socket

from mmer_fairseq.encoders import Encoder
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.index import PLAN
from mmer_fairseq.features.work import Job


def witness(job: Job) -> str:
    """A medium that this machine can read, so every other one must ('': there is none, or text)."""
    cells = (clip.media[job.plan.made.modality] for clip in job.plan.clips)
    return next((cell for cell in cells if os.path.isabs(cell) and os.path.exists(cell)), "")


def checked_encoder(job: Job, medium: str) -> Encoder:
    """The encoder, once this machine is known to see the same files.

    Args:
        job: of the machine that began it.
        medium: a file that it could read, see :func:`witness`.

    Raises:
        InputError: naming this machine and the file.
    """
    plan = job.plan
    try:
        if json.loads((plan.folder / PLAN).read_text(encoding="utf-8")) != plan.description():
            raise _not_shared(plan.folder, "another folder than this extraction's")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _not_shared(plan.folder, str(error)) from error
    if medium and not os.path.exists(medium):
        raise _not_shared(medium, "no such file")
    try:
        encoder = job.encoder()
    except InputError as error:
        raise InputError(f"on the machine {socket.gethostname()}: {error}") from error
    if encoder.fingerprint != plan.made.fingerprint:
        raise _not_shared(job.spec.encoder, "another encoder (its checksum differs)")
    return encoder


def _not_shared(what: object, found: str) -> InputError:
    return InputError.of(
        where=what,
        expected="the same on every machine of the cluster, under the same path",
        found=f"{found} on {socket.gethostname()}",
        remedy="put the corpus, its media and the encoder on a disk that all machines share",
    )
