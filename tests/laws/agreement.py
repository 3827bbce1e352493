"""A back end against the reference: outputs, last states, and the gradients of all arrays.

Results must be equal within tests/tolerances.py. Where a case is so steep that rounding errors
alone move the reference further than that (a kink right there, a difference of nearly equal
numbers), the back end may be wrong by a few times as much; such a case counts as delicate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch import Tensor

from cellwise import cells as zoo
from cellwise.backends import BACKENDS, serving
from cellwise.equation import read_system
from cellwise.passes.pipeline import Compiled, compile_system
from cellwise.passes.saved import Memory
from cellwise.structures.call import Arrays, bind, bound_of
from cellwise.structures.fold import fold
from tests.laws.case import Case
from tests.laws.generate import chain_texts
from tests.laws.networks import gradients, mixture
from tests.laws.rounding import shaky
from tests.tolerances import TOLERANCE

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 40, 64, 65, 100)
"""Around the widths of vectors and of register blocks."""
MEMORIES: tuple[Memory, ...] = ("fast", "lean")
DTYPES = (torch.float32, torch.float64)
WAYS = 4
"""How many times a delicate case is computed with other rounding errors."""
LENIENCE = 10
"""How many times what rounding does to the reference a delicate result may be wrong."""

UNSERVED = ("outer",)
"""What makes matrices at every step."""

Verdict = Literal["agreed", "refused", "delicate"]


class MismatchError(AssertionError):
    """A back end and the reference differ beyond the tolerance."""


@dataclass(frozen=True)
class Batch:
    """Lengths, falling; the seed of all arrays; whether the initial states are zeros."""

    lengths: tuple[int, ...]
    seed: int
    zero: bool = False


@dataclass(frozen=True)
class Group:
    """A cell with numbers for its sizes, and batches for it: prints as Python, to be pasted."""

    text: str
    dimensions: tuple[int, ...]
    dtype: torch.dtype
    batches: tuple[Batch, ...]
    memory: Memory = "fast"

    def __repr__(self) -> str:
        numbers = f"{self.dimensions}, {self.dtype}, {self.batches}, {self.memory!r}"
        return f'Group("""\n{self.text}\n""", {numbers})'

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def case(self, batch: Batch) -> Case:
        """The case of one batch."""
        return Case(read(self.text), self.dimensions, batch.lengths, batch.seed)


read = cache(read_system)


@cache
def compiled(text: str, memory: Memory) -> Compiled:
    """The programs of a text."""
    return compile_system(Case(read(text), (1,), (1,), 0).folded, memory=memory)


def zoo_texts() -> SearchStrategy[str]:
    """The texts of the zoo's cells."""
    return st.sampled_from(zoo.names("chain")).map(lambda name: str(zoo.get(name)))


def served_texts() -> SearchStrategy[str]:
    """The texts of random cells that hold nothing of `UNSERVED`."""
    return chain_texts().filter(lambda text: not _is_unserved(text))


def unserved_texts() -> SearchStrategy[str]:
    """The texts of random cells that hold something of `UNSERVED`."""
    return chain_texts().filter(_is_unserved)


def _is_unserved(text: str) -> bool:
    return any(word in text for word in UNSERVED)


@st.composite
def batches(draw: DrawFn, longest: int = 6, most_sequences: int = 9) -> Batch:
    """Ragged batches, empty sequences and batches of only such among them."""
    lengths = draw(st.lists(st.integers(0, longest), min_size=1, max_size=most_sequences))
    return Batch(
        tuple(sorted(lengths, reverse=True)), draw(st.integers(0, 9999)), draw(st.booleans())
    )


@st.composite
def groups(draw: DrawFn, texts: SearchStrategy[str], n_batches: int) -> Group:
    """Cells with sizes and lengths that fill registers and blocks, and that do not."""
    return Group(
        draw(texts),
        tuple(draw(st.lists(st.sampled_from(SIZES), min_size=4, max_size=4))),
        draw(st.sampled_from(DTYPES)),
        tuple(draw(batches()) for _ in range(n_batches)),
        draw(st.sampled_from(MEMORIES)),
    )


class Folded:
    """The fold of a group's batch by a back end: what it gives, and what it sends back."""

    def __init__(self, group: Group, batch: Batch, backend: str):
        case, programs = group.case(batch), compiled(group.text, group.memory)
        self.key = bind(programs, case.sizes, dict(case.system.constants), backend)
        self.arrays = case.tensors(programs.forward.system.parameters)
        if batch.zero:
            edges = [torch.zeros_like(edge) for edge in self.arrays.edges]
            self.arrays = Arrays(self.arrays.inputs, edges, self.arrays.parameters)
        self.level_sizes, self.dtype = case.level_sizes, group.dtype

    @property
    def tensors(self) -> list[Tensor]:
        """Inputs, initial states and parameters."""
        return [t.to(self.dtype) for t in self.arrays.all]

    @property
    def refusal(self) -> str:
        """Why the back end does not serve it, or an empty text."""
        bound = bound_of(self.key)
        return BACKENDS[bound.backend].refuses(bound, self.tensors[0])

    @property
    def serving(self) -> str:
        """The back end that serves it."""
        return serving(bound_of(self.key), self.tensors[0])[0].name

    def __call__(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Output, last states, then the gradients of all tensors."""
        leaves = [t.clone().requires_grad_() for t in tensors]
        y, last = fold(self.key, self.arrays.like(leaves), self.level_sizes)
        outputs = [y, *last]
        mixes = mixture([o.double() for o in outputs])  # the same numbers, whatever computes
        mixes = [m.to(self.dtype).to(o.dtype) for m, o in zip(mixes, outputs, strict=True)]
        grads = gradients(outputs, mixes, leaves)
        return [*(o.detach() for o in outputs), *grads]


def judge(group: Group, batch: Batch, backend: str) -> Verdict:
    """One case.

    Raises:
        MismatchError: the results differ.
    """
    found = Folded(group, batch, backend)
    wanted = Folded(replace(group, memory="fast"), batch, "reference")
    if found.refusal:
        return "refused"
    results = found(found.tensors)
    if not difference(results, wanted(wanted.tensors), group.dtype):
        return "agreed"
    beyond = _beyond_rounding(results, group, batch)
    if beyond:
        raise MismatchError(f"{replace(group, batches=(batch,))}\n{beyond}")
    return "delicate"


def difference(found: Sequence[Tensor], wanted: Sequence[Tensor], dtype: torch.dtype) -> str:
    """What differs beyond the tolerance, or nothing."""
    for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
        try:
            bounds = TOLERANCE[dtype]["grad"]
            torch.testing.assert_close(one, other.to(one.dtype), equal_nan=True, **bounds)
        except AssertionError as error:
            return f"result {place}: {error}"
    return ""


def _beyond_rounding(found: Sequence[Tensor], group: Group, batch: Batch) -> str:
    """What differs by much more than rounding moves the reference, or nothing."""
    exact, moved = _moved(group, batch)
    bounds = TOLERANCE[group.dtype]["grad"]
    for place, (one, true) in enumerate(zip(found, exact, strict=True)):
        usual = max(largest_error(other[place], true) for other in moved)
        size = float(true.abs().max()) if true.numel() else 0.0
        allowed = LENIENCE * usual + bounds["atol"] + bounds["rtol"] * size
        error = largest_error(one, true)
        if error > allowed:
            return f"result {place}: wrong by {error:.3g}; rounding makes {usual:.3g}"
    return ""


def _moved(group: Group, batch: Batch) -> tuple[list[Tensor], list[list[Tensor]]]:
    """The reference's results in float64, and what rounding makes of them in several ways."""
    group = replace(group, memory="fast")
    wanted = Folded(group, batch, "reference")
    whole = [t.double() for t in wanted.tensors]
    with shaky(group.dtype) as name:
        shaken = Folded(group, batch, name)
        moved = [wanted(wanted.tensors), *(shaken(whole) for _ in range(WAYS))]
    return wanted(whole), moved


def largest_error(found: Tensor, exact: Tensor) -> float:
    """The largest difference; infinite where one is a number and the other is not."""
    found = found.to(exact.dtype)
    same = (found == exact) | (found.isnan() & exact.isnan())
    error = (found - exact).abs().masked_fill(same, 0.0)
    return float(error.nan_to_num(nan=torch.inf).max()) if error.numel() else 0.0
