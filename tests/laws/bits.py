"""What must be true of the very bits that a compiled layer computes.

Each function states one law of a subject and fails where it does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from cellwise.layers import Recurrent
from tests.laws.networks import gradients, mixture

LENGTHS = (9, 3, 0, 1, 9, 5, 7, 2, 8, 4, 6)
"""Ragged, not sorted, one sequence empty; together more rows than are computed at once."""


@dataclass(frozen=True)
class Subject:
    """A compiled layer in float32 and a ragged batch for it, drawn from a seed."""

    cell: str
    input_size: int
    hidden_size: int
    lengths: tuple[int, ...] = LENGTHS
    seed: int = 0

    @cached_property
    def layer(self) -> Recurrent:
        """With initial states of its own where the cell learns them."""
        torch.manual_seed(self.seed)
        return Recurrent(self.cell, self.input_size, self.hidden_size, backend="cpu")

    @cached_property
    def x(self) -> Tensor:
        """[T, B, I]."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = (max(self.lengths), len(self.lengths), self.input_size)
        return torch.randn(shape, generator=generator)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch's number of threads in this thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run(layer: Recurrent, x: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """y [T, B, ·], the states [B, ·] and d_x [T, B, I]; then the parameters' gradients."""
    x = x.clone().requires_grad_()
    y, state = layer(x, lengths=torch.tensor(lengths, dtype=torch.int64))
    outputs = [y, *(s[0] for s in state)]
    generator = torch.Generator().manual_seed(0)  # cotangents that are the same for all rows
    mixes = [torch.randn(o.shape[-1], generator=generator).expand_as(o) for o in outputs]
    d_x, *d_weights = gradients(outputs, mixes, [x, *layer.parameters()])
    return [*(o.detach() for o in outputs), d_x, *d_weights]


def same_bits(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    """Assert that all numbers are the same, or NaN in both."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def the_same_call_gives_the_same_bits(subject: Subject) -> None:
    """Twice, on one thread and on two."""
    for count in (1, 2):
        with threads(count):
            first = run(subject.layer, subject.x, subject.lengths)
            same_bits(run(subject.layer, subject.x, subject.lengths), first)


def threads_change_no_bits(subject: Subject) -> None:
    """Rows belong to one thread each, and sums over rows are shared out by columns."""
    alone = run(subject.layer, subject.x, subject.lengths)
    for count in (2, 3):
        with threads(count):
            same_bits(run(subject.layer, subject.x, subject.lengths), alone)


def _of_rows(results: Sequence[Tensor], n_states: int) -> list[Tensor]:
    """Those of `run` that each row has for itself, the sequences last: y, d_x, the states."""
    y, *rest = results
    return [y, rest[n_states], *(end[None] for end in rest[:n_states])]


def rows_do_not_depend_on_their_batch_mates(subject: Subject) -> None:
    """One by one and in a batch, values and gradients of inputs are the same to the bit."""
    layer, x = subject.layer, subject.x
    n_states = len(layer(x[:1])[1])
    whole = _of_rows(run(layer, x, subject.lengths), n_states)
    for place, length in enumerate(subject.lengths):
        alone = run(layer, x[:length, place : place + 1], [length])
        wanted = [w[:, place : place + 1] for w in whole]
        wanted = [*(w[:length] for w in wanted[:2]), *wanted[2:]]
        same_bits(_of_rows(alone, n_states), wanted)


def permuting_rows_permutes_bits(subject: Subject) -> None:
    """Values and gradients of inputs follow their sequences."""
    layer, x = subject.layer, subject.x
    order = torch.randperm(len(subject.lengths), generator=torch.Generator().manual_seed(1))
    n_states = len(layer(x[:1])[1])
    whole = _of_rows(run(layer, x, subject.lengths), n_states)
    moved = run(layer, x[:, order], [subject.lengths[place] for place in order])
    same_bits(_of_rows(moved, n_states), [w[:, order] for w in whole])


def padding_never_matters(subject: Subject) -> None:
    """Whatever lies beyond the lengths, all results have the same bits."""
    wanted = run(subject.layer, subject.x, subject.lengths)
    for padding in (math.nan, math.inf, 1e30):
        x = subject.x.clone()
        for place, length in enumerate(subject.lengths):
            x[length:, place] = padding
        same_bits(run(subject.layer, x, subject.lengths), wanted)


def nothing_to_compute_is_no_error(subject: Subject) -> None:
    """No sequences, no steps, or none in any sequence: zeros, and states that stay."""
    layer = subject.layer
    for x in (subject.x[:, :0], subject.x[:0], subject.x):
        lengths = [0] * x.shape[1]
        state = [torch.randn_like(s) for s in layer(x)[1]]
        y, ends = layer(x, state, torch.tensor(lengths, dtype=torch.int64))
        assert y.shape == (*x.shape[:2], layer.hidden_size)
        assert not y.any()
        same_bits(ends, state)
        *_, d_x = run(layer, x, lengths)[: 2 + len(state)]
        assert d_x.shape == x.shape
        assert not d_x.any()
        assert not any(d_w.any() for d_w in _sums_of(layer, x, lengths))


def _sums_of(layer: Recurrent, x: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """The gradients of all parameters that are no initial states."""
    weights = {n: w for n, w in layer.named_parameters() if not n.endswith("_0")}
    y, _ = layer(x, lengths=torch.tensor(lengths, dtype=torch.int64))
    return gradients([y], mixture([y]), list(weights.values()))


def a_bad_row_spoils_no_other(subject: Subject) -> None:
    """NaN and infinities in one sequence; the rest has the same bits."""
    layer, x = subject.layer, subject.x
    n_states = len(layer(x[:1])[1])
    wanted = _of_rows(run(layer, x, subject.lengths), n_states)
    rest = [place for place in range(len(subject.lengths)) if place != 4]
    for bad in (math.nan, math.inf, -math.inf):
        spoilt = x.clone()
        spoilt[2, 4, 0] = bad
        found = _of_rows(run(layer, spoilt, subject.lengths), n_states)
        same_bits([f[:, rest] for f in found], [w[:, rest] for w in wanted])
