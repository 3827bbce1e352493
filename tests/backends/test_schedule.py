"""Schedules: what a row reads at the step before and after, and where a sequence ends."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.backends.schedule import Schedule, levels


def sequences_of(lengths: list[int]) -> tuple[Schedule, list[list[int]], torch.Tensor]:
    """A schedule, the row numbers of each sequence in turn, and rows that hold their own number."""
    lengths = sorted(lengths, reverse=True)
    sizes = [sum(n > step for n in lengths) for step in range(max(lengths, default=0))]
    rows: list[list[int]] = [[] for _ in lengths]
    count = 0
    for size in sizes:
        for place in range(size):
            rows[place].append(count)
            count += 1
    return levels(sizes, len(lengths)), rows, torch.arange(float(count)).unsqueeze(1)


LENGTHS = st.lists(st.integers(0, 5), min_size=1, max_size=6)


@given(LENGTHS)
def test_shift_reads_the_neighbour_or_the_edge(lengths: list[int]) -> None:
    schedule, sequences, rows = sequences_of(lengths)
    edge = -1.0 - torch.arange(float(len(lengths))).unsqueeze(1)
    before, after = (schedule.shift(rows, edge, index) for index in ("t-1", "t+1"))
    for place, sequence in enumerate(sequences):
        for step, row in enumerate(sequence):
            end = float(edge[place])
            assert before[row] == (sequence[step - 1] if step else end)
            assert after[row] == (sequence[step + 1] if step + 1 < len(sequence) else end)


@given(LENGTHS)
def test_last_is_where_a_sweep_ends(lengths: list[int]) -> None:
    schedule, sequences, rows = sequences_of(lengths)
    edge = -1.0 - torch.arange(float(len(lengths))).unsqueeze(1)
    forward = schedule.last(rows, edge, reverse=False)
    backward = schedule.last(rows, edge, reverse=True)
    for place, sequence in enumerate(sequences):
        assert forward[place] == (sequence[-1] if sequence else float(edge[place]))
        assert backward[place] == (sequence[0] if sequence else float(edge[place]))


def test_empty_levels_are_dropped() -> None:
    schedule = levels([2, 1, 0, 0], 3)
    assert schedule.sizes == (2, 1) and schedule.n_rows == 3 and schedule.n_sequences == 3
