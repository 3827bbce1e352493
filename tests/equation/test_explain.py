"""Why two sizes are equal."""

from __future__ import annotations

from cellwise.equation import read_system, why_equal
from cellwise.graph.build import read
from cellwise.graph.dimension import Dim
from cellwise.graph.system import Equation, System


def _places(text: str, first: str, second: str) -> list[str]:
    return [text[s.start : s.end] for s in why_equal(read_system(text), first, second)]


def test_a_matrix_used_for_two_vectors():
    text = "h[t] = tanh(W @ x[t] + W @ h[t-1])"
    assert _places(text, "x", "h") == ["W @ x[t]", "W @ h[t-1]"]


def test_a_sum_of_two_vectors():
    text = "z[t] = h[t-1] + 1\nh[t] = z[t] + x[t]"
    assert _places(text, "x", "h") == ["z[t] + x[t]", "h[t-1] + 1"]


def test_sizes_that_are_not_tied():
    assert _places("h[t] = W @ [x[t], h[t-1]]", "x", "h") == []


def test_a_system_that_no_text_says():
    value = read("x", "t", (Dim.of("h"),))
    assert why_equal(System((Equation("h", "t", value),), "h"), "h", "x") == ()
