import itertools
from dataclasses import dataclass
from functools import partial

import pytest
import torch

from cellwise.heads.ensemble import Together, mean_log_probabilities
from cellwise.heads.search import Rules, search
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
START, END, N_SYMBOLS = 0, 1, 4


@dataclass(frozen=True)
class Table:
    """A decoder whose distribution depends on row, step and last symbol; states of one kind."""

    log_p: torch.Tensor
    rows: torch.Tensor
    n_states: int

    def __call__(self, last, state):
        assert len(state) == self.n_states
        own, at = state[0][0].long().unbind(-1)
        width = len(own) // len(self.rows)
        assert torch.equal(own, self.rows.repeat_interleave(width))
        more = tuple(part + 1 for part in state[1:])
        after = torch.stack([own, at + 1], dim=-1)[None].double()
        return self.log_p[own, at.clamp(max=2), last], (after, *more)

    def of(self, rows):
        return Table(self.log_p, self.rows[rows], self.n_states)


def tables(count=2, n_rows=3):
    scores = 2 * torch.randn(count, n_rows, 3, N_SYMBOLS, N_SYMBOLS, dtype=torch.float64)
    scores[..., START] = -torch.inf
    return torch.log_softmax(scores, dim=-1)


def together(found, n_rows=3):
    rows = torch.arange(n_rows)
    steps = tuple(Table(log_p, rows, n + 1) for n, log_p in enumerate(found))
    first = torch.tensor([[[row, 0.0] for row in range(n_rows)]], dtype=torch.float64)
    states = [(first, *([torch.zeros(1, n_rows, 2)] * n)) for n in range(len(found))]
    counts = tuple(n + 1 for n in range(len(found)))
    return Together(steps, counts), tuple(part for state in states for part in state)


def test_probabilities_are_means():
    found = tables(3)
    mean = mean_log_probabilities(list(found)).exp()
    torch.testing.assert_close(mean, found.exp().mean(0), **EXACT)


def test_one_decoder_alone_is_itself():
    found = tables(1)
    torch.testing.assert_close(mean_log_probabilities(list(found)), found[0], **EXACT)


@pytest.mark.parametrize("beam_size", [1, 60])
def test_a_search_finds_the_best_by_the_mean(beam_size):
    found = tables(2)
    step, state = together(found)
    rules = Rules(START, END, beam_size, length_penalty=0.0)
    answers = search(step, state, torch.tensor([2, 2, 2]), rules)
    mean = found.exp().mean(0).log()

    def score(row, symbols):
        path = [START, *symbols, END]
        steps = enumerate(itertools.pairwise(path))
        return sum(float(mean[row, at, before, after]) for at, (before, after) in steps)

    for row, answer in enumerate(answers):
        assert answer.log_probability == pytest.approx(score(row, answer.symbols))
        if beam_size > 1:
            all_of_them = [
                list(symbols) for n in range(3) for symbols in itertools.product((2, 3), repeat=n)
            ]
            assert answer.symbols == max(all_of_them, key=partial(score, row))
