import itertools
import math
from dataclasses import dataclass
from functools import partial

import pytest
import torch

from cellwise.heads.search import Rules, beam, greedy, search, search_several
from tests.tolerances import TOLERANCE

START, END, N_SYMBOLS = 0, 1, 5
EXACT = TOLERANCE[torch.float64]["exact"]


def table_step(table):
    """A decoder whose distribution depends on row, step and the last two symbols.

    The row, the step and the last symbol but one are its state, so that a search that mixes up the
    states of its hypotheses is found out. `table`: `[rows, steps, last but one, last, symbol]`.
    """

    return TableStep(table, torch.arange(len(table)))


@dataclass(frozen=True)
class TableStep:
    table: torch.Tensor
    sources: torch.Tensor

    def __call__(self, last, state):
        rows, at, before = state[0][0].long().unbind(-1)
        width = len(rows) // len(self.sources)
        assert torch.equal(rows, self.sources.repeat_interleave(width))
        log_p = self.table[rows, at.clamp(max=self.table.shape[1] - 1), before, last]
        return log_p, (torch.stack([rows, at + 1, last], dim=-1)[None].double(),)

    def of(self, rows):
        return TableStep(self.table, self.sources[rows])


def start_state(rows):
    return (torch.tensor([[[row, 0, START] for row in rows]], dtype=torch.float64),)


def random_table(n_rows=3, n_steps=4, sharpness=2.0):
    shape = (n_rows, n_steps, N_SYMBOLS, N_SYMBOLS, N_SYMBOLS)
    scores = sharpness * torch.randn(shape, dtype=torch.float64)
    scores[..., START] = -torch.inf
    return torch.log_softmax(scores, dim=-1)


def score_of(table, row, symbols):
    """The log probability of a sequence with its end."""
    total, before, last = 0.0, START, START
    for at, symbol in enumerate([*symbols, END]):
        total += float(table[row, min(at, table.shape[1] - 1), before, last, symbol])
        before, last = last, symbol
    return total


def exhaustive(table, row, limit, penalty):
    letters = [s for s in range(N_SYMBOLS) if s not in (START, END)]
    sequences = [list(s) for n in range(limit + 1) for s in itertools.product(letters, repeat=n)]
    return max(sequences, key=lambda s: score_of(table, row, s) / (len(s) + 1) ** penalty)


def test_greedy_takes_the_most_probable_symbol():
    table = random_table(1)
    expected: list[int] = []
    before = last = START
    for at in range(3):
        before, last = last, int(table[0, at, before, last].argmax())
        if last == END:
            break
        expected.append(last)
    found = greedy(table_step(table), start_state([0]), torch.tensor([3]), Rules(START, END))
    assert found[0].symbols == expected


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_sequences(penalty):
    table, limits = random_table(), torch.tensor([3, 2, 3])
    rules = Rules(START, END, beam_size=200, length_penalty=penalty)
    found = beam(table_step(table), start_state([0, 1, 2]), limits, rules)
    for row, limit in enumerate(limits.tolist()):
        assert found[row].symbols == exhaustive(table, row, limit, penalty)


def test_length_penalties_are_those_of_their_formulas():
    scores, lengths = torch.tensor([-7.0, -7.0], dtype=torch.float64), torch.tensor([13, 1])
    plain = Rules(START, END, 4, 0.8, "length").normalised(scores, lengths)
    gnmt = Rules(START, END, 4, 0.8, "gnmt").normalised(scores, lengths)
    torch.testing.assert_close(
        plain, torch.tensor([-7 / 13**0.8, -7.0], dtype=torch.float64), **EXACT
    )
    torch.testing.assert_close(
        gnmt, torch.tensor([-7 / 3**0.8, -7.0], dtype=torch.float64), **EXACT
    )


def test_the_best_few_are_the_best_of_all_sequences_in_order():
    def rank(row, symbols):
        return -score_of(table, row, symbols) / (len(symbols) + 1) ** 0.7

    table, limits = random_table(), torch.tensor([2, 1, 3])
    rules = Rules(START, END, beam_size=100, length_penalty=0.7)
    step, state = table_step(table), start_state([0, 1, 2])
    found = search_several(step, state, limits, rules, n_best=6)
    for row, limit in enumerate(limits.tolist()):
        sequences = [
            list(s) for n in range(limit + 1) for s in itertools.product([2, 3, 4], repeat=n)
        ]
        sequences.sort(key=partial(rank, row))
        assert [one.symbols for one in found[row]] == sequences[:6]
        assert all(
            one.log_probability == pytest.approx(score_of(table, row, one.symbols))
            for one in found[row]
        )


def test_no_more_are_found_than_are_possible():
    table = torch.full((1, 1, *[N_SYMBOLS] * 3), -torch.inf, dtype=torch.float64)
    table[..., 3] = table[..., END] = math.log(0.5)
    rules = Rules(START, END, beam_size=9)
    found = search_several(table_step(table), start_state([0]), torch.tensor([2]), rules, n_best=9)
    assert sorted(one.symbols for one in found[0]) == [[], [3], [3, 3]]


@pytest.mark.parametrize("size", [1, 4])
def test_the_score_is_the_log_probability_of_the_sequence(size):
    table = random_table()
    rules = Rules(START, END, beam_size=size)
    for row, found in enumerate(
        search(table_step(table), start_state([0, 1, 2]), torch.tensor([3, 3, 3]), rules)
    ):
        expected = torch.tensor(score_of(table, row, found.symbols), dtype=torch.float64)
        score = torch.tensor(found.log_probability, dtype=torch.float64)
        torch.testing.assert_close(score, expected, **EXACT)


def test_a_beam_of_one_is_greedy():
    table, limits = random_table(), torch.tensor([4, 2, 0])
    rules = Rules(START, END, beam_size=1)
    step = table_step(table)
    narrow = beam(step, start_state([0, 1, 2]), limits, rules)
    assert narrow == greedy(step, start_state([0, 1, 2]), limits, rules)


def test_a_row_does_not_depend_on_the_others():
    table, limits = random_table(6), torch.tensor([4, 1, 3, 0, 2, 4])
    for size in (1, 3):
        rules = Rules(START, END, beam_size=size)
        together = search(table_step(table), start_state(range(6)), limits, rules)
        apart = [
            search(table_step(table).of([row]), start_state([row]), limits[row : row + 1], rules)[0]
            for row in range(6)
        ]
        assert together == apart


@dataclass(frozen=True)
class Counted:
    """A step that notes how many rows it was asked for."""

    inner: TableStep
    counts: list[int]

    def __call__(self, last, state):
        self.counts.append(len(last))
        return self.inner(last, state)

    def of(self, rows):
        return Counted(self.inner.of(rows), self.counts)


def test_rows_that_are_over_are_left_out():
    counts: list[int] = []
    step = Counted(table_step(random_table(3)), counts)
    rules = Rules(START, END, beam_size=2)
    found = search(step, start_state([0, 1, 2]), torch.tensor([0, 5, 5]), rules)
    assert found[0].symbols == []
    assert counts[:2] == [6, 4]


def test_a_limit_is_kept_by_what_never_ends():
    table = torch.full((1, 1, *[N_SYMBOLS] * 3), -torch.inf, dtype=torch.float64)
    table[..., 3], table[..., END] = 0.0, -1e4
    for size in (1, 2, 7):
        rules = Rules(START, END, beam_size=size)
        found = search(table_step(table), start_state([0]), torch.tensor([6]), rules)
        assert found[0].symbols in ([3] * 6, [])


def test_nothing_to_search_finds_nothing():
    for size in (1, 2):
        rules = Rules(START, END, beam_size=size)
        state = (torch.zeros(1, 0, 3),)
        assert search(table_step(random_table()), state, torch.tensor([]).long(), rules) == []


@pytest.mark.parametrize("width", [1, 3])
def test_no_probabilities_give_no_symbols(width):
    table = torch.full_like(random_table(), torch.nan)
    rules = Rules(START, END, beam_size=width)
    for found in search(table_step(table), start_state(range(3)), torch.tensor([4, 2, 0]), rules):
        assert found.symbols == []
        assert found.log_probability != found.log_probability


@pytest.mark.parametrize("width", [1, 3])
def test_a_decoder_that_allows_nothing_ends_the_row(width):
    table = random_table()
    table[1, 2:] = -torch.inf
    rules = Rules(START, END, beam_size=width)
    found = search(table_step(table), start_state(range(3)), torch.full((3,), 6), rules)
    alone = search(table_step(table[[0, 2]]), start_state(range(2)), torch.full((2,), 6), rules)
    assert [found[0], found[2]] == alone
    assert found[1].log_probability == -math.inf or len(found[1].symbols) <= 2


@pytest.mark.parametrize("width", [1, 3])
def test_a_row_ends_where_nothing_is_possible(width):
    """The second symbol has no probability, whatever it is."""
    table = torch.full((1, 5, *(N_SYMBOLS,) * 3), -torch.inf, dtype=torch.float64)
    table[0, 0, :, START, 2] = 0.0
    rules = Rules(START, END, width)
    (found,) = search(table_step(table), start_state([0]), torch.tensor([4]), rules)
    assert found.symbols in ([2], [])  # all hypotheses of a beam are equally impossible
    assert found.log_probability == -math.inf
