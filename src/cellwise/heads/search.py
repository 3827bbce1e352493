"""The search for the most probable sequence: greedy, and with a beam, for a whole batch at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, Protocol

import torch
from torch import Tensor

Normalisation = Literal["length", "gnmt"]

State = tuple[Tensor, ...]
"""What a decoder carries from step to step; each `[layers, rows, ·]`."""

DROPPED_SHARE = 1 / 8
"""Rows of a beam search that are over are left out as soon as they are so many of all."""


class Step(Protocol):
    """A decoder as a search sees it."""

    def __call__(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        """One step on.

        From the last symbols, int64 `[rows]`, and a state to log probabilities `[rows, V]` and the
        next state.
        """

    def of(self, rows: Tensor) -> Step:
        """The same decoder for some of its rows only, int64 `[n]`; those of a beam are one."""


@dataclass(frozen=True)
class Rules:
    """What a search starts with, ends with, and how it compares hypotheses of different lengths.

    Source: of the normalisation "gnmt" Wu et al. 2016 (arXiv:1609.08144), equation 14.
    """

    start: int
    end: int
    beam_size: int = 1
    length_penalty: float = 1.0
    normalisation: Normalisation = "length"

    def normalised(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Log probabilities by which hypotheses compare.

        They are score / length ** a, or score / ((5 + length) / 6) ** a, where a is the length
        penalty, and an end counts as a symbol.
        """
        counts = lengths.clamp(min=1).to(scores.dtype)
        longer = counts if self.normalisation == "length" else (5 + counts) / 6
        return scores / longer**self.length_penalty


@dataclass(frozen=True)
class Found:
    """A sequence without its start and end, and its log probability, the end included.

    Where the decoder knows no probabilities (NaN), no sequence is best: an empty one and NaN.
    """

    symbols: list[int]
    log_probability: float


def search(step: Step, state: State, limits: Tensor, rules: Rules) -> list[Found]:
    """The best sequence for every row.

    With a beam, `step` must take `beam_size` rows for each row of `state`, those of one row
    together; the state given here has one. A row that reaches its limit must end there, so its
    result never depends on the other rows.

    Args:
        step: the decoder.
        state: its first state, `[layers, N, ·]` each.
        limits: int64 `[N]`, the most symbols of each row, the end not counted.
        rules: start, end, beam size and length penalty.
    """
    with torch.no_grad():
        if rules.beam_size == 1:
            return greedy(step, state, limits, rules)
        return beam(step, state, limits, rules)


def search_several(
    step: Step, state: State, limits: Tensor, rules: Rules, *, n_best: int
) -> list[list[Found]]:
    """The best sequences for every row, the best first: as many as the beam holds, or `n_best`.

    The arguments are those of `search`. There are fewer where no others are possible.
    """
    with torch.no_grad():
        return _beams(step, state, limits, rules, n_best)


def greedy(step: Step, state: State, limits: Tensor, rules: Rules) -> list[Found]:
    """The most probable symbol at every step; where a decoder allows none, the row ends."""
    last = torch.full_like(limits, rules.start)
    done = torch.zeros_like(limits, dtype=torch.bool)
    scores: Tensor | None = None
    columns: list[Tensor] = []
    while not done.all():
        log_p, state = step(last, state)
        log_p = _end_at_limit(log_p, limits <= len(columns), rules.end)
        best, last = log_p.max(dim=-1)
        gain = best.masked_fill(done, 0.0)
        scores = gain if scores is None else scores + gain
        last = last.masked_fill(done | best.isneginf(), rules.end)
        done = done | (last == rules.end)
        columns.append(last)
    if scores is None:
        return []
    return _found(torch.stack(columns, dim=1), scores, rules.end)


@dataclass(frozen=True)
class _Beam:
    """The hypotheses of the rows that the search still goes on with.

    Which rows they are, and their limits: `[N]`. Symbols `[N, K, t]`; scores, lengths (end
    included) and done `[N, K]`.
    """

    rows: Tensor
    limits: Tensor
    symbols: Tensor
    scores: Tensor
    lengths: Tensor
    done: Tensor

    def of(self, kept: Tensor) -> _Beam:
        """The same for some of the rows."""
        return _Beam(*(getattr(self, field.name)[kept] for field in fields(self)))

    def best(self, rules: Rules, count: int) -> tuple[Tensor, Tensor]:
        """The symbols `[N, count, t]` and scores `[N, count]` of each row's best hypotheses."""
        ranks = rules.normalised(self.scores, self.lengths)
        winners = ranks.sort(dim=1, descending=True, stable=True).indices[:, :count]
        rows = torch.arange(len(winners), device=winners.device)[:, None]
        return self.symbols[rows, winners], self.scores[rows, winners]


def beam(step: Step, state: State, limits: Tensor, rules: Rules) -> list[Found]:
    """The best of `beam_size` hypotheses kept at every step; finished ones stay and compete."""
    return [found[0] for found in _beams(step, state, limits, rules, 1)]


def _beams(
    step: Step, state: State, limits: Tensor, rules: Rules, n_best: int
) -> list[list[Found]]:
    width = rules.beam_size
    state = tuple(part.repeat_interleave(width, dim=1) for part in state)
    hypotheses = _first(limits, width, rules)
    found: dict[int, list[Found]] = {}
    while len(hypotheses.rows):
        log_p, state = step(hypotheses.symbols[:, :, -1].flatten(), state)
        hypotheses, parents = _advance(hypotheses, log_p.unflatten(0, (-1, width)), rules)
        over = hypotheses.done.all(dim=1)
        if int(over.sum()) >= DROPPED_SHARE * len(over):
            found |= _answers(hypotheses.of(over), rules, n_best)
            kept = (~over).nonzero().flatten()
            hypotheses, step, parents = hypotheses.of(kept), step.of(kept), parents[kept]
        state = tuple(part.index_select(1, parents.flatten()) for part in state)
    return [found[row] for row in range(len(limits))]


def _first(limits: Tensor, width: int, rules: Rules) -> _Beam:
    """One hypothesis a row, nothing but the start; the others of its beam are impossible."""
    scores = torch.full((len(limits), width), -torch.inf, device=limits.device)
    scores[:, 0] = 0.0
    nothing = limits.new_zeros((len(limits), width))
    start = torch.full_like(nothing, rules.start)[..., None]
    rows = torch.arange(len(limits), device=limits.device)
    return _Beam(rows, limits, start, scores, nothing, nothing.bool())


def _advance(old: _Beam, log_p: Tensor, rules: Rules) -> tuple[_Beam, Tensor]:
    """The best continuations, and for each, `[N, K]`, the row of the state that it continues."""
    n_rows, width, n_symbols = log_p.shape
    at_limit = old.limits < old.symbols.shape[2]
    log_p = _end_at_limit(log_p, at_limit[:, None], rules.end)
    frozen = torch.full_like(log_p[0, 0], -torch.inf)
    frozen[rules.end] = 0.0  # a finished hypothesis goes on as it is, and in no other way
    scores = old.scores[..., None] + torch.where(old.done[..., None], frozen, log_p)
    lengths = old.lengths + (~old.done).to(old.lengths)
    ranks = rules.normalised(scores, lengths[..., None]).flatten(1)
    chosen = ranks.topk(width, dim=1).indices
    parent, symbol = chosen // n_symbols, chosen % n_symbols
    rows = torch.arange(n_rows, device=log_p.device)[:, None]
    kept = scores.flatten(1).gather(1, chosen)
    symbol = symbol.masked_fill(kept.isneginf(), rules.end)  # nothing is possible
    new = _Beam(
        old.rows,
        old.limits,
        torch.cat([old.symbols[rows, parent], symbol[..., None]], dim=2),
        kept,
        lengths[rows, parent],
        old.done[rows, parent] | (symbol == rules.end) | ~kept.isfinite(),
    )
    return new, rows * width + parent


def _answers(over: _Beam, rules: Rules, n_best: int) -> dict[int, list[Found]]:
    """What the search found for rows that are over, by their numbers."""
    symbols, scores = over.best(rules, n_best)
    found = _found(symbols[:, :, 1:].flatten(0, 1), scores.flatten(), rules.end)
    width = scores.shape[1]
    return {
        row: _possible(found[i * width : (i + 1) * width])
        for i, row in enumerate(over.rows.tolist())
    }


def _possible(found: list[Found]) -> list[Found]:
    """The first, and of the others those that have a probability."""
    return found[:1] + [one for one in found[1:] if math.isfinite(one.log_probability)]


def _end_at_limit(log_p: Tensor, at_limit: Tensor, end: int) -> Tensor:
    """The same log probabilities `[..., V]`, but rows at their limit, `[...]`, can only end."""
    is_end = torch.arange(log_p.shape[-1], device=log_p.device) == end
    return log_p.masked_fill(at_limit[..., None] & ~is_end, -torch.inf)


def _found(symbols: Tensor, scores: Tensor, end: int) -> list[Found]:
    return [
        Found([] if math.isnan(score) else row[: row.index(end)] if end in row else row, score)
        for row, score in zip(symbols.tolist(), scores.tolist(), strict=True)
    ]
