"""Shares of a batch: every row once, in order, each with the row of the step before."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cellwise.backends.cpu.work import befores, shares
from cellwise.backends.schedule import Schedule

lengths = st.lists(st.integers(0, 6), min_size=0, max_size=12).map(
    lambda found: tuple(sorted(found, reverse=True))
)


def schedule(found: tuple[int, ...]) -> Schedule:
    steps = range(max(found, default=0))
    return Schedule(tuple(sum(n > t for n in found) for t in steps), len(found))


def rows_of(found: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """The number of the row of each (place, step)."""
    steps = range(max(found, default=0))
    order = [(place, step) for step in steps for place, n in enumerate(found) if n > step]
    return {key: row for row, key in enumerate(order)}


@given(found=lengths, n_threads=st.integers(1, 5), reverse=st.booleans())
def test_every_row_is_in_one_share_and_after_the_row_that_it_reads(found, n_threads, reverse):
    rows = rows_of(found)
    places: list[int] = []
    seen: list[int] = []
    for share in shares(schedule(found), n_threads, reverse=reverse):
        own = range(share.first, share.first + share.n_places)
        places += own
        steps = range(max((found[place] for place in own), default=0))
        expected = [
            [rows[place, step] for place in own if found[place] > step]
            for step in (reversed(steps) if reverse else steps)
        ]
        sizes = [len(level) for level in expected]
        assert np.diff(share.starts).tolist() == sizes
        assert share.starts[0] == 0
        assert share.rows.tolist() == [row for level in expected for row in level]
        assert share.most == max(sizes, default=0)
        seen += share.rows.tolist()
    assert places == list(range(len(found)))
    assert sorted(seen) == sorted(rows.values())


@given(found=lengths, n_threads=st.integers(1, 5), reverse=st.booleans())
def test_the_row_of_the_step_before_or_the_place_of_the_edge(found, n_threads, reverse):
    rows = rows_of(found)
    keys = {row: key for key, row in rows.items()}
    for share in shares(schedule(found), n_threads, reverse=reverse):
        for row, before in zip(share.rows.tolist(), share.befores.tolist(), strict=True):
            place, step = keys[row]
            assert before == (rows[place, step - 1] if step else -1 - place)


@given(found=lengths)
def test_befores_of_a_whole_batch(found):
    rows = rows_of(found)
    expected = [rows[place, step - 1] if step else -1 - place for place, step in rows]
    assert befores(schedule(found)).tolist() == expected


@given(found=lengths, n_threads=st.integers(1, 5), reverse=st.booleans())
def test_parities_say_in_which_half_the_last_state_lies(found, n_threads, reverse):
    """A level writes into the half that it does not read, beginning with half 0 as the past."""
    for share in shares(schedule(found), n_threads, reverse=reverse):
        half = [0] * share.n_places
        sizes = np.diff(share.starts).tolist()
        for level, size in enumerate(sizes):
            for place in range(size):
                half[place] = 1 - level % 2
        wanted = half if not reverse else [len(sizes) % 2] * share.n_places
        assert share.parities.tolist() == wanted


@given(found=lengths, n_threads=st.integers(2, 5))
def test_shares_are_as_equal_as_whole_sequences_let_them_be(found, n_threads):
    counts = [len(share.rows) for share in shares(schedule(found), n_threads, reverse=False)]
    assert len(counts) <= n_threads
    if n_threads == 2 and len(counts) == 2:
        best = min(abs(sum(found) - 2 * sum(found[:cut])) for cut in range(1, len(found)))
        assert abs(counts[0] - counts[1]) == best


def test_more_threads_than_sequences_and_no_sequence_at_all():
    assert len(shares(schedule((4, 2)), 8, reverse=False)) == 2
    assert shares(schedule(()), 2, reverse=False) == ()
    (only,) = shares(schedule((0, 0)), 2, reverse=True)
    assert (only.n_places, only.rows.tolist(), only.parities.tolist()) == (2, [], [0, 0])
