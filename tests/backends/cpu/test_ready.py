from __future__ import annotations

from array import array

import numpy as np
import pytest

from cellwise.backends.cpu import parallel
from cellwise.backends.cpu.calls import ENTRY, call, function
from cellwise.backends.cpu.drafts import At, Draft
from cellwise.backends.cpu.ready import MEMORY, Ready, Rounds
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.target import chosen
from cellwise.backends.cpu.work import address_of

N, WIDTH = 7, 5
ORDER = np.random.default_rng(0).permutation(N)


@pytest.fixture(params=[True, False], ids=["openmp", "threads"])
def team(request, monkeypatch):
    """Whether torch's OpenMP takes the tasks."""
    if not request.param:
        monkeypatch.setattr(parallel, "_openmp", lambda: None)


def addresses(*arrays: np.ndarray) -> array[int]:
    return array("q", [address_of(one) for one in arrays])


def sorted_and_added(n_threads: int) -> Ready:
    """out[i] = rows[ORDER[i]], each row by a call of its own; then out += more, in another round.

    What is sorted lies in the call's memory first, behind `N * WIDTH` numbers.
    """
    code = runtime(chosen(), "f64", 1)
    takes, adds, copies = Draft(), Draft(), Draft()
    indices = address_of(ORDER)
    row = WIDTH * 8
    for i in range(N):
        place = At("sorted", i * row)
        takes.add(call(code.address("take_rows"), place, At("rows"), indices + 8 * i, 1, WIDTH))
        same, more, out = address_of(NUMBERS) + 8 * i, At("more", i * row), At("out", i * row)
        adds.add(call(code.address("add_rows"), At("sorted"), more, same, 1, WIDTH))
        copies.add(call(code.address("take_rows"), out, At("sorted"), same, 1, WIDTH))
    rounds = Rounds()
    for calls in (takes, adds, copies):
        rounds.add(function(), rounds.calls(calls, n_threads, {"sorted": At(MEMORY)}))
    return rounds.ready([MEMORY, "rows", "more", "out"], N * WIDTH * 8, n_threads)


NUMBERS = np.arange(N)


@pytest.mark.parametrize("n_threads", [1, 2, 3, N + 2])
def test_each_round_sees_the_one_before_and_each_call_its_own_arrays(team, n_threads):
    ready = sorted_and_added(n_threads)
    draw = np.random.default_rng(1)
    memory = np.empty(N * WIDTH * 8 + ready.n_bytes, np.uint8)
    for _ in range(3):
        rows, more, out = (draw.standard_normal((N, WIDTH)) for _ in range(3))
        ready.run(addresses(memory, rows, more, out))
        np.testing.assert_array_equal(out, rows[ORDER] + more)


def test_what_was_made_without_openmp_never_asks_for_it(monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(parallel, "_openmp", lambda: None)
        ready = sorted_and_added(2)
    memory = np.empty(N * WIDTH * 8 + ready.n_bytes, np.uint8)
    rows, out = np.ones((N, WIDTH)), np.zeros((N, WIDTH))
    ready.run(addresses(memory, rows, rows, out))
    np.testing.assert_array_equal(out, np.full((N, WIDTH), 2.0))


def test_nothing_to_do_is_done():
    rounds = Rounds()
    rounds.add(function(), [])
    ready = rounds.ready([MEMORY], 0, 2)
    memory = np.empty(ready.n_bytes, np.uint8)
    ready.run(addresses(memory))


def test_a_need_that_no_call_tells_is_an_error():
    rounds = Rounds()
    rounds.put(Draft([At("weights")]), {})
    with pytest.raises(KeyError, match="weights"):
        rounds.ready([MEMORY, "rows"], 0, 1)


def test_the_calls_of_a_list_are_taken_in_turns():
    rounds = Rounds()
    draft = Draft()
    for number in range(5):
        draft.add(call(number))
    assert len(draft) == 5 * ENTRY
    assert len(rounds.calls(draft, 2, {})) == 2
    assert len(rounds.calls(draft, 9, {})) == 5
    assert rounds.calls(Draft(), 2, {}) == []
