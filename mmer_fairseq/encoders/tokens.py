"""The check that every encoder of tokens makes."""

from __future__ import annotations

from torch import Tensor

from mmer_fairseq.errors import InputError


def check_tokens(tokens: Tensor, vocab_size: int) -> None:
    """Refuse a token that an embedding table has no row for.

    Args:
        tokens: LongTensor of any shape.
        vocab_size: rows of the table.

    Raises:
        InputError: naming the token.
    """
    smallest, largest = int(tokens.min()), int(tokens.max())
    if smallest < 0 or largest >= vocab_size:
        raise InputError.of(
            where="stream of tokens",
            expected=f"tokens in 0 … {vocab_size - 1}",
            found=f"{smallest if smallest < 0 else largest}",
            remedy="use the tokenizer that the model was built for",
        )
