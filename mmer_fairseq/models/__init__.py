"""One file a system. Folders named in the environment variable MMER_MODELS (``:`` between them) count as part of this
one: a model of one's own is found by fairseq-train and every ``mmer`` command without a change to the package.
"""

import os
from pathlib import Path

from mmer_fairseq.errors import InputError

VARIABLE = "MMER_MODELS"


def _own_folders() -> list[str]:
    """The folders of the variable.

    Raises:
        InputError: one is not there, or has a file of the name of one of ours.
    """
    folders = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    taken = {file.name: file for file in Path(__file__).parent.glob("*.py")}
    for folder in folders:
        if not Path(folder).is_dir():
            raise InputError.of(
                where=VARIABLE,
                expected=f"folders with files of models, {os.pathsep!r} between them",
                found=f"{folder!r}, which is no folder",
                remedy=f"correct the variable, or unset {VARIABLE}",
            )
        for file in sorted(Path(folder).glob("*.py")):
            if file.name in taken and file.name != "__init__.py":
                raise InputError.of(
                    where=file,
                    expected="a name that no other file of models has",
                    found=f"that of {taken[file.name]}",
                    remedy="rename the file",
                )
            taken[file.name] = file
    return [str(Path(folder).resolve()) for folder in folders]


__path__ += _own_folders()
