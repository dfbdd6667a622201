"""The tensors of an original checkpoint under the names that they have in our network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from mmer_fairseq.errors import InputError


def rename(
    state: Mapping[str, Tensor],
    new_names: Callable[[str, Tensor], dict[str, Tensor] | None],
    where: object,
    system: str,
) -> dict[str, Tensor]:
    """Rename every tensor.

    Args:
        state: the tensors under their original names.
        new_names: (name, tensor) → new name → tensor, several where it is taken apart, none where it is of no use;
            None: a name that the original does not have.
        where: the file, for messages.
        system: "SSE-FT", …, for messages.

    Raises:
        InputError: a name is unknown.
    """
    renamed: dict[str, Tensor] = {}
    unknown = []
    for name, x in state.items():
        new = new_names(name, x)
        if new is None:
            unknown.append(name)
        renamed.update(new or {})
    if unknown:
        raise InputError.of(
            where=where,
            expected=f"the tensors of a checkpoint of {system}",
            found=f"{len(unknown)} unknown ({', '.join(unknown[:3])}{', …' if len(unknown) > 3 else ''})",
            remedy=f"name a checkpoint of the original {system} repository",
        )
    return renamed
