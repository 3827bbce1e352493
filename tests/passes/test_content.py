from __future__ import annotations

import pytest

from cellwise import cells
from cellwise.equation import read_system
from cellwise.passes.content import content

TEXT = "a = 0.5\nz[t] = sigmoid(U @ x[t])\nh[t] = z[t] * h[t-1] + a * tanh(z[t])"


def of(text: str) -> str:
    return content(read_system(text))


def test_the_same_equations_have_the_same_content():
    assert of(TEXT) == of(TEXT)


@pytest.mark.parametrize(
    "same",
    [
        f"# a cell\n\n{TEXT}",
        TEXT.replace("sigmoid(U @ x[t])", "sigmoid(U  @ x[t])  # update gate"),
        TEXT.replace("sigmoid(U @ x[t])", "σ(U xₜ)"),
    ],
)
def test_comments_blanks_and_ways_of_writing_do_not_count(same):
    assert of(same) == of(TEXT)


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("0.5", "0.25"),  # a constant's value
        TEXT.replace("U", "V"),  # a parameter's name
        TEXT.replace("z", "y"),  # a signal's name
        TEXT.replace("tanh", "erf"),  # an operation
        TEXT.replace("z[t] * h[t-1]", "h[t-1] * z[t]"),  # the order of arguments
        TEXT.replace("tanh(z[t])", "tanh(h[t-1])"),  # what is read, and when
        f"{TEXT}\ny[t] = h[t]",  # the output
        f"{TEXT}\nh[0] = h_0",  # a learned initial state
        TEXT.replace("U @ x[t]", "U.T @ x[t]"),
    ],
)
def test_everything_else_does(other):
    assert of(other) != of(TEXT)


def test_no_two_cells_of_the_zoo_have_the_same_content():
    names = cells.names()
    assert len({content(cells.get(name).system) for name in names}) == len(names)


def test_the_inner_structure_counts_and_not_the_printed_text_alone():
    shared = "h[t] = tanh(x[t]) * tanh(x[t]) + h[t-1]"
    split = "h[t] = tanh(x[t]) * tanh(h[t-1]) + x[t]"
    assert of(shared) != of(split)
