"""The functions of the notation: their names in a text, and what each takes."""

from __future__ import annotations

import difflib

from cellwise.graph.operations import OPERATIONS

_BY_NAME = (
    "abs sign step exp log sqrt sin cos erf tanh sigmoid relu softplus silu gelu hard_sigmoid "
    "hard_tanh greater sum mean dot inverse_std softmax norm is_largest outer bilinear broadcast "
    "first"
).split()

FUNCTIONS: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in _BY_NAME},
    "max": ("largest", "maximum"),  # max(v) and max(a, b)
    "min": ("smallest", "minimum"),
    "permute": ("permute",),
    "part": ("part",),
}
"""For each name the operations that it can stand for; the number of arguments decides."""

ALIASES = {"σ": "sigmoid", "Σ": "sum", "∑": "sum"}
"""Other ways to write a function."""

LITERAL = ("part", "permute", "broadcast")
"""Functions whose arguments after the first are sizes or whole numbers."""

TEXT_NAME = {operation: name for name, found in FUNCTIONS.items() for operation in found}
"""The name that an operation is written by."""

ARITY: dict[str, tuple[int, int]] = {
    **{operation: OPERATIONS[operation].arity for operation in TEXT_NAME},
    "broadcast": (1, 4),  # a scalar, and if it is not clear otherwise, the sizes
    "permute": (4, 4),  # the array and three axes
    "part": (3, 1000),  # the whole, an index, the pieces
}
"""The fewest and most arguments that a function takes in a text."""


def accepted(name: str) -> str:
    """The numbers of arguments that a function takes, in words: "1 or 2"."""
    counts = sorted({ARITY[operation] for operation in FUNCTIONS[name]})
    if len(counts) == 1:
        fewest, most = counts[0]
        return (
            str(fewest)
            if fewest == most
            else f"{fewest} to {most}"
            if most < 9
            else f"at least {fewest}"
        )
    return " or ".join(str(fewest) for fewest, _ in counts)


def near_miss(name: str) -> str:
    """The function whose name is nearly `name`, or an empty string."""
    close = difflib.get_close_matches(name.lower(), [*FUNCTIONS], n=1, cutoff=0.6)
    return close[0] if close else ""
