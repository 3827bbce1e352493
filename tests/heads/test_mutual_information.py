"""The decoder against dull answers, on tables of probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pytest
import torch
from torch import Tensor

from cellwise.heads.mutual_information import mutual_information
from cellwise.heads.search import Rules, State, Step, search
from tests.tolerances import TOLERANCE

START, END, N_SYMBOLS, LIMIT = 0, 1, 5, 3
EXACT = TOLERANCE[torch.float64]["exact"]


@dataclass(frozen=True)
class Table:
    """Log probabilities `[rows, V, V]` of a symbol after a symbol; the state counts the steps."""

    log_p: Tensor

    def __call__(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        per_row = len(last) // len(self.log_p)
        rows = torch.arange(len(last)) // per_row
        return self.log_p[rows, last], (state[0] + 1,)

    def of(self, rows: Tensor) -> Step:
        return Table(self.log_p[rows])


def tables(n_rows: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n_rows, N_SYMBOLS, N_SYMBOLS, generator=generator, dtype=torch.float64)
    logits[:, :, START] = -torch.inf
    return logits.log_softmax(-1)


def score(log_p: Tensor, blind: Tensor, symbols: tuple[int, ...], weight: float, n: int) -> float:
    """The sum over symbols and the end, by the definition."""
    total, last = 0.0, START
    for place, symbol in enumerate((*symbols, END)):
        total += float(log_p[last, symbol])
        total -= weight * float(blind[last, symbol]) * (place < n)
        last = symbol
    return total


@pytest.mark.parametrize("n_symbols", [0, 1, 2, 9])
@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_a_wide_beam_finds_the_answer_with_the_most_mutual_information(n_symbols, weight):
    informed, blind = tables(4, 1), tables(4, 2)
    count = torch.zeros(1, 4, 1, dtype=torch.float64)
    step, state = mutual_information(
        (Table(informed), (count,)),
        (Table(blind), (count,)),
        count,
        weight=weight,
        n_symbols=n_symbols,
    )
    rules = Rules(START, END, beam_size=400, length_penalty=0.0)
    found = search(step, state, torch.full((4,), LIMIT), rules)
    sequences = [s for n in range(LIMIT + 1) for s in product(range(2, N_SYMBOLS), repeat=n)]
    for row in range(4):
        scores = {s: score(informed[row], blind[row], s, weight, n_symbols) for s in sequences}
        best = max(scores, key=lambda s: scores[s])
        assert tuple(found[row].symbols) == best
        torch.testing.assert_close(found[row].log_probability, scores[best], **EXACT)


def test_what_is_forbidden_stays_so():
    informed, blind = tables(1, 3), tables(1, 4)
    informed[:, :, 2] = -torch.inf
    blind[:, :, 2] = -torch.inf
    count = torch.zeros(1, 1, 1, dtype=torch.float64)
    step, state = mutual_information(
        (Table(informed), (count,)), (Table(blind), (count,)), count, weight=1.0, n_symbols=9
    )
    scores, _ = step(torch.tensor([START]), state)
    assert scores[0, 2] == -torch.inf
    assert not scores.isnan().any()
