"""What a system says of itself."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system
from cellwise.graph.dimension import Dim
from cellwise.graph.operations import OPERATIONS
from tests.samples import SAMPLES

LSTM = read_system(SAMPLES["lstm"])


def test_names():
    assert LSTM.defined == ("f", "i", "o", "c", "h")
    assert LSTM.states == ("h", "c")
    assert LSTM.inputs == ("x",)
    assert list(LSTM.parameters)[:2] == ["W_f", "b_f"]
    assert LSTM.parameters["c_0"] == (Dim.of("h"),)
    assert not LSTM.reverse
    assert LSTM.structure == "chain"


def test_shapes_of_signals():
    assert LSTM.shape_of("f") == (Dim.of("h"),)
    assert LSTM.shape_of("x") == (Dim.of("x"),)
    with pytest.raises(KeyError):
        LSTM.shape_of("nobody")


def test_time_can_run_backwards():
    system = read_system("given g\nd[t] = x[t] + g[t-1] * d[t+1]")
    assert system.reverse
    assert system.states == ("d",)
    assert system.inputs == ("x",)


def test_trees():
    system = read_system("h[leaf] = W @ x[n]\nh[n] = tanh(V @ sum(h[k] for k in n))")
    assert system.structure == "tree"
    assert system.states == ("h",)
    assert [line.index for line in system.lines()] == ["leaf", "n"]


def test_equal_systems_are_equal_and_hash_alike():
    again = read_system(SAMPLES["lstm"].replace("\n", "  # a comment\n"))
    assert again == LSTM
    assert hash(again) == hash(LSTM)


def test_the_table_of_operations_is_in_order():
    for name, row in OPERATIONS.items():
        assert row.name == name
        assert 0 <= row.arity[0] <= row.arity[1]
        assert not row.commutative or row.arity == (2, 2)
