"""The search for the most probable sequence: greedy, and with a beam, for a whole batch at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

State = tuple[Tensor, ...]
"""What a decoder carries from step to step; each `[layers, rows, ·]`."""

Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""From the last symbols, int64 `[rows]`, and a state to log probabilities `[rows, V]` and the next
state.
"""


@dataclass(frozen=True)
class Rules:
    """What a search starts with, ends with, and how it compares hypotheses of different lengths."""

    start: int
    end: int
    beam_size: int = 1
    length_penalty: float = 1.0

    def normalised(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Log probabilities by which hypotheses compare: score / length ** length_penalty."""
        return scores / lengths.clamp(min=1).to(scores.dtype) ** self.length_penalty


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


def greedy(step: Step, state: State, limits: Tensor, rules: Rules) -> list[Found]:
    """The most probable symbol at every step."""
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
        last = last.masked_fill(done, rules.end)
        done = done | (last == rules.end)
        columns.append(last)
    if scores is None:
        return []
    return _found(torch.stack(columns, dim=1), scores, rules.end)


@dataclass(frozen=True)
class _Beam:
    """Hypotheses: symbols `[N, K, t]`; scores, lengths (end included) and done `[N, K]`."""

    symbols: Tensor
    scores: Tensor
    lengths: Tensor
    done: Tensor

    def best(self, rules: Rules) -> tuple[Tensor, Tensor]:
        """The symbols `[N, t]` and scores `[N]` of each row's best hypothesis."""
        winner = rules.normalised(self.scores, self.lengths).argmax(dim=1)
        rows = torch.arange(len(winner), device=winner.device)
        return self.symbols[rows, winner], self.scores[rows, winner]


def beam(step: Step, state: State, limits: Tensor, rules: Rules) -> list[Found]:
    """The best of `beam_size` hypotheses kept at every step; finished ones stay and compete."""
    if len(limits) == 0:
        return []
    width = rules.beam_size
    state = tuple(part.repeat_interleave(width, dim=1) for part in state)
    last = limits.new_full((len(limits) * width,), rules.start)
    hypotheses: _Beam | None = None
    while hypotheses is None or not hypotheses.done.all():
        log_p, state = step(last, state)
        if hypotheses is None:
            hypotheses = _first(limits, width, log_p)
        at_limit = (limits <= hypotheses.symbols.shape[2]).repeat_interleave(width)
        log_p = _end_at_limit(log_p, at_limit, rules.end)
        hypotheses, parents = _advance(hypotheses, log_p.unflatten(0, (-1, width)), rules)
        state = tuple(part.index_select(1, parents) for part in state)
        last = hypotheses.symbols[:, :, -1].flatten()
    symbols, scores = hypotheses.best(rules)
    return _found(symbols, scores, rules.end)


def _first(limits: Tensor, width: int, log_p: Tensor) -> _Beam:
    """One empty hypothesis a row; the others of its beam are impossible."""
    scores = log_p.new_full((len(limits), width), -torch.inf)
    scores[:, 0] = 0.0
    nothing = limits.new_zeros((len(limits), width))
    return _Beam(limits.new_zeros((len(limits), width, 0)), scores, nothing, nothing.bool())


def _advance(old: _Beam, log_p: Tensor, rules: Rules) -> tuple[_Beam, Tensor]:
    """The best continuations, and for each the row of the state that it continues."""
    n_rows, width, n_symbols = log_p.shape
    frozen = torch.full_like(log_p[0, 0], -torch.inf)
    frozen[rules.end] = 0.0  # a finished hypothesis goes on as it is, and in no other way
    scores = old.scores[..., None] + torch.where(old.done[..., None], frozen, log_p)
    lengths = old.lengths + (~old.done).to(old.lengths)
    ranks = rules.normalised(scores, lengths[..., None]).flatten(1)
    chosen = ranks.topk(width, dim=1).indices
    parent, symbol = chosen // n_symbols, chosen % n_symbols
    rows = torch.arange(n_rows, device=log_p.device)[:, None]
    kept = scores.flatten(1).gather(1, chosen)
    new = _Beam(
        torch.cat([old.symbols[rows, parent], symbol[..., None]], dim=2),
        kept,
        lengths[rows, parent],
        old.done[rows, parent] | (symbol == rules.end) | ~kept.isfinite(),
    )
    return new, (rows * width + parent).flatten()


def _end_at_limit(log_p: Tensor, at_limit: Tensor, end: int) -> Tensor:
    """The same log probabilities, but rows at their limit can only end."""
    is_end = torch.arange(log_p.shape[-1], device=log_p.device) == end
    return log_p.masked_fill(at_limit[:, None] & ~is_end, -torch.inf)


def _found(symbols: Tensor, scores: Tensor, end: int) -> list[Found]:
    return [
        Found([] if math.isnan(score) else row[: row.index(end)] if end in row else row, score)
        for row, score in zip(symbols.tolist(), scores.tolist(), strict=True)
    ]
