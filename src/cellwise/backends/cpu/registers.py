"""What fits the registers of a target: the shapes of the microkernels that the runtime has.

Read by what calls them too, so nothing here loads what emits code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cellwise.backends.cpu.target import Precision, Target

if TYPE_CHECKING:
    from llvmlite import ir

    from cellwise.backends.cpu.emitter import Emitter

N_VECTORS = (1, 2, 3, 4)
"""The widths of panels there are, in vectors."""


class Form(NamedTuple):
    """What the runtime is emitted for: numbers of a precision, `lanes` of them in a vector."""

    target: Target
    precision: Precision
    lanes: int

    def emitter(self, module: ir.Module, name: str, kinds: Sequence[ir.Type]) -> Emitter:
        """An emitter at the start of a new function that returns nothing."""
        from llvmlite import ir

        from cellwise.backends.cpu.emitter import Emitter

        function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
        function.attributes.add("nounwind")
        function.attributes.add("noinline")
        return Emitter(function, self.target, self.precision)


_MOST_ROWS = {
    "wide": {1: 8, 2: 8, 3: 8, 4: 6},
    "fused": {1: 8, 2: 6, 3: 4, 4: 3},
    "plain": {1: 8, 2: 5, 3: 3, 4: 2},
}
"""Rows x vectors that fit the registers with the operands beside them, by class of target."""


def _class(target: Target) -> str:
    if not target.fused:
        return "plain"  # one more register, for a product before it is added
    return "wide" if target.n_registers >= 32 else "fused"


def block_sizes(target: Target, n_vectors: int) -> tuple[int, ...]:
    """The numbers of rows that `product_{n_vectors}_{rows}` exists for, the largest first."""
    return tuple(range(_MOST_ROWS[_class(target)][n_vectors], 0, -1))


def most_vectors(target: Target) -> int:
    """How many vectors of products a pass over an operand had best compute at once."""
    return 4 if _class(target) == "wide" else 2


def steps_at_once(target: Target) -> int:
    """How many steps of a sum one turn of a product's loop takes.

    Where another thread shares the core, instructions are what there are too few of: two steps at
    a time have three of 74 less. Addresses take more registers then, which narrow targets lack.
    """
    return 2 if target.vector_bytes >= 32 else 1


def streams(target: Target, n_vectors: int, n_rows: int) -> int:
    """How many panels `stream_{n_vectors}_{n_rows}` takes at once; 1: there is no such function.

    One or two rows alone leave the units of multiplication waiting for the sum before.
    """
    if n_rows > 2:
        return 1
    most = 12 if target.fused else 9
    return max(s for s in (1, 2, 4, 8) if s == 1 or s * n_rows * n_vectors <= most)
