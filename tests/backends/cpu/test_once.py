"""What is made once stays, whoever asks at the same time."""

from __future__ import annotations

import threading
import time

import numpy as np

import cellwise as cw
from cellwise.backends.cpu.node_work import NodeRows
from cellwise.backends.cpu.once import once
from cellwise.structures.nodes import ordered


def at_once(ask, n=4):
    """What several threads get that ask at the same time."""
    found, barrier = [None] * n, threading.Barrier(n)

    def one(i):
        barrier.wait()
        found[i] = ask()

    askers = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    return found


def test_threads_that_ask_at_once_get_the_same():
    made = []

    @once
    def make(number, *, name=""):
        time.sleep(0.01)
        made.append((number, name))
        return object()

    found = at_once(lambda: make(1))
    assert all(one is found[0] for one in found)
    assert make(1) is found[0]
    assert make(1, name="other") is not found[0]
    assert made == [(1, ""), (1, "other")]


def test_an_address_that_was_given_away_stays_right(monkeypatch):
    forest = cw.Forest.from_children([[[1, 2], [], [3, 4], [], []]]).binary()
    nodes = ordered(forest, leaf=True, down=False).nodes
    (work,) = NodeRows(nodes, leaf=False, backward=False).shares(1, reverse=False)
    neighbour, gathered = type(nodes).neighbour, type(nodes).gathered

    def slowly(method):
        def called(*arguments):
            found = method(*arguments)
            time.sleep(0.01)
            return found

        return called

    monkeypatch.setattr(type(nodes), "neighbour", slowly(neighbour))
    monkeypatch.setattr(type(nodes), "gathered", slowly(gathered))
    for what in ("table left", "list k", "list_first p left"):
        addresses = at_once(lambda what=what: work.number(what))
        assert len(set(addresses)) == 1
        assert work.number(what) == addresses[0]
    assert np.all(work.rows == [3, 4])
