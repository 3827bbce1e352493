"""Parse ∘ show is the identity, for random cells, their derivatives and the zoo."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given

from cellwise import cells
from cellwise.autodiff.forward import tangent
from cellwise.autodiff.recursion import backward_over_nodes, settle
from cellwise.autodiff.reverse import backward
from cellwise.equation import canonical, read_system, show
from cellwise.graph.system import System
from cellwise.graph.verify import verify
from cellwise.passes.share import share
from cellwise.passes.simplify import simplify
from cellwise.passes.tidy import readable_backward, readable_tangent
from tests.laws.generate import chain_texts, tree_texts

Style = Literal["text", "unicode"]
STYLES: tuple[Style, ...] = ("text", "unicode")


def _assert_comes_back(system: System, style: Style) -> None:
    """What is read is the same system, its sizes named as reading names them."""
    text = show(system, style)
    again = read_system(text)
    assert again == canonical(system), text
    assert [line.comment for line in again.lines()] == [line.comment for line in system.lines()]
    assert read_system(show(again, style)) == again


@pytest.mark.parametrize("style", STYLES)
@given(text=chain_texts())
def test_a_chain_comes_back(style: Style, text: str) -> None:
    _assert_comes_back(read_system(text), style)


@pytest.mark.parametrize("style", STYLES)
@given(text=tree_texts())
def test_a_tree_comes_back(style: Style, text: str) -> None:
    _assert_comes_back(read_system(text), style)


@pytest.mark.parametrize("style", STYLES)
@given(text=chain_texts())
def test_derivatives_come_back(style: Style, text: str) -> None:
    system = read_system(text)
    for derived in (backward(system).system, tangent(system).system):
        _assert_comes_back(derived, style)
        _assert_comes_back(share(simplify(derived)), style)


@pytest.mark.parametrize("style", STYLES)
@given(text=tree_texts())
def test_derivatives_of_trees_come_back(style: Style, text: str) -> None:
    system = read_system(text)
    results = tuple(dict.fromkeys([system.output, *system.states]))
    sent = backward_over_nodes(settle(system), results).system
    for derived in (sent, tangent(system).system):
        verify(derived)
        _assert_comes_back(derived, style)
    for derived in (readable_backward(system), readable_tangent(system)):
        verify(derived)
        _assert_comes_back(derived, style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", cells.names())
def test_the_zoo_comes_back(style: Style, name: str) -> None:
    cell = cells.get(name)
    for system in (cell.system, cell.backward().system, cell.forward_mode().system):
        _assert_comes_back(system, style)


@given(text=chain_texts())
def test_latex_is_balanced(text: str) -> None:
    latex = show(read_system(text), "latex")
    for opening, closing in ("{}", ("\\left", "\\right"), ("\\begin", "\\end")):
        assert latex.count(opening) == latex.count(closing)
