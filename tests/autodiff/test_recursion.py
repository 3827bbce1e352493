"""Backward and tangent equations of trees, evaluated as they are written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cellwise.autodiff.derivative import Derivative
from cellwise.autodiff.forward import tangent
from cellwise.autodiff.recursion import backward_over_nodes, settle
from cellwise.cell import Cell
from cellwise.equation import read_system
from cellwise.errors import StructureError
from cellwise.graph.system import System
from cellwise.graph.verify import verify
from tests.evaluate import Array
from tests.evaluate_nodes import Graph, NodesFeed, evaluate_nodes
from tests.gradients import STEP, Gradients, central, moved
from tests.graphs import CELLS, feed_of, graphs_of, loss, weights_of
from tests.tolerances import TOLERANCE

EXACT, DIFFERENCE = (TOLERANCE[torch.float64][kind] for kind in ("exact", "difference"))
CASES = [(name, graph) for name in CELLS for graph in graphs_of(name)]


def derived_of(system: System) -> Derivative:
    results = tuple(dict.fromkeys([system.output, *system.states]))
    return backward_over_nodes(settle(system), results)


def sent_back(
    primal: System, derived: Derivative, back: System, feed: NodesFeed, weights: dict[str, Array]
) -> Gradients:
    """The gradients that backward equations give."""
    forward = evaluate_nodes(settle(primal), feed).signals
    signals = {name: forward[name] for name in back.given}
    outs = {derived.outs[name]: weight for name, weight in weights.items()}
    found = evaluate_nodes(back, replace(feed, signals={**signals, **outs}))
    names = derived.names
    return {
        **{name: found.signals[names[name]] for name in primal.inputs},
        **{name: found.totals[names[name]] for name in primal.parameters},
    }


@pytest.mark.parametrize(("name", "graph"), CASES)
def test_backward_agrees_with_central_differences(name: str, graph: Graph) -> None:
    system = read_system(CELLS[name])
    feed = feed_of(system, graph, 3)
    weights = weights_of(system, feed, 4)
    derived = derived_of(system)
    readable = Cell(CELLS[name]).backward().system
    expected = central(lambda moved: loss(system, moved, weights), feed)
    for back in (derived.system, readable):
        verify(back)
        found = sent_back(system, derived, back, feed, weights)
        assert found.keys() == expected.keys()
        for key, gradient in expected.items():
            np.testing.assert_allclose(found[key], gradient, **DIFFERENCE, err_msg=key)


def along(system: System, feed: NodesFeed, seed: int) -> dict[str, Array]:
    """A direction for all inputs and parameters."""
    rng = np.random.default_rng(seed)
    return {n: rng.normal(size=a.shape) for n, a in {**feed.signals, **feed.parameters}.items()}


@pytest.mark.parametrize(("name", "graph"), CASES)
def test_tangents_agree_with_central_differences(name: str, graph: Graph) -> None:
    system = read_system(CELLS[name])
    feed = feed_of(system, graph, 5)
    by = along(system, feed, 6)
    derived = tangent(system)
    names = derived.names
    forward = evaluate_nodes(system, feed).signals
    dots = {names[n]: by[n] for n in feed.signals}
    parameters = {**feed.parameters, **{names[n]: by[n] for n in feed.parameters}}

    def shifted(sign: float) -> dict[str, Array]:
        return evaluate_nodes(system, moved(feed, by, sign * STEP)).signals

    above, below = shifted(1), shifted(-1)
    for pushed in (derived.system, Cell(CELLS[name]).forward_mode().system):
        verify(pushed)
        signals = {**{n: forward[n] for n in pushed.given}, **dots}
        read = replace(feed, signals=signals, parameters=parameters)
        found = evaluate_nodes(pushed, read).signals
        for signal in system.defined:
            expected = (above[signal] - below[signal]) / (2 * STEP)
            np.testing.assert_allclose(found[names[signal]], expected, **DIFFERENCE, err_msg=signal)


@pytest.mark.parametrize("name", CELLS)
def test_derived_cells_read_back_as_they_are(name: str) -> None:
    cell = Cell(CELLS[name])
    for derived in (cell, cell.backward(), cell.forward_mode()):
        for text in (str(derived), derived.unicode()):
            assert Cell(text) == derived, text
        assert derived.latex().count("{") == derived.latex().count("}")
    assert Cell(str(cell)).backward() == cell.backward()


ABOVE = "sum(d_left_h[p] for p in parents_left) + sum(d_right_h[p] for p in parents_right)"
RECURSIVE = f"""\
given h
output d_x
d_h[leaf] = d_out_h[leaf] + {ABOVE}
d_x[leaf] = d_h[leaf]
d_h[n] = d_out_h[n] + {ABOVE}
d_pre_h[n] = d_h[n] * (1 - h[n] ** 2)
d_in_h[n] = W.T @ d_pre_h[n]
d_left_h[n] = part(d_in_h[n], 0, d_h, d_h)
d_right_h[n] = part(d_in_h[n], 1, d_h, d_h)
d_W = sum(outer(d_pre_h[n], [h[left], h[right]]) for n)
d_b = sum(d_pre_h[n] for n)"""

CHILD_SUM = """\
d_h[n] = d_out_h[n] + sum(W_f.T @ d_pre_f[p,n] + d_s[p] for p in parents)
d_c[n] = d_out_c[n] + sum(d_c[p] * f[p,n] for p in parents) + d_h[n] * o[n] * (1 - tanh(c[n]) ** 2)
d_f[n,k] = d_c[n] * c[k]  # one for each child
d_u[n] = d_c[n] * i[n]
d_o[n] = d_h[n] * tanh(c[n])
d_i[n] = d_c[n] * u[n]
d_pre_u[n] = d_u[n] * (1 - u[n] ** 2)
d_pre_o[n] = d_o[n] * o[n] * (1 - o[n])
d_pre_i[n] = d_i[n] * i[n] * (1 - i[n])
d_s[n] = W_u.T @ d_pre_u[n] + W_o.T @ d_pre_o[n] + W_i.T @ d_pre_i[n]
d_pre_f[n,k] = d_f[n,k] * f[n,k] * (1 - f[n,k])
d_x[n] = U_u.T @ d_pre_u[n] + U_o.T @ d_pre_o[n] + U_i.T @ d_pre_i[n] + \
sum(U_f.T @ d_pre_f[n,k] for k in n)
"""

DEPENDENCY = """\
given h, x
same d_x, x
d_h[n] = d_out_h[n] + sum(W[r].T @ d_pre_h[p] for p in parents)
d_pre_h[n] = d_h[n] * (1 - h[n] ** 2)
d_x[n] = U.T @ d_pre_h[n]
d_U = sum(outer(d_pre_h[n], x[n]) for n)
d_b = sum(d_pre_h[n] for n)
d_W = sum(outer(d_pre_h[n], h[k]) for n,k in r)"""


def test_the_backward_of_trees_reads_as_in_a_paper() -> None:
    assert str(Cell(CELLS["recursive"]).backward()) == RECURSIVE
    assert str(Cell(CELLS["dependency"]).backward()) == DEPENDENCY
    whole = str(Cell(CELLS["child sum"]).backward())
    start, end = whole.index("d_h[n] ="), whole.index("d_U_i")
    assert whole[start:end] == CHILD_SUM
    assert whole.endswith("d_b_f = sum(d_pre_f[n,k] for n,k)")


def test_names_do_not_collide_with_the_cells_own() -> None:
    derived = derived_of(read_system(CELLS["taken names"]))
    assert derived.names["h"] == "d_h_"
    assert derived.outs["h"] == "d_out_h_"


REFUSED = [
    ("given h\nd[n] = h[n] + sum(d[p] for p in parents)", "sums over parents"),
    ("h[n] = x[n] + sum(h[k] for k in n)\nall_h = sum(h[n] for n)", "sums over all nodes"),
]


@pytest.mark.parametrize(("text", "cause"), REFUSED)
def test_what_is_derived_already_is_refused(text: str, cause: str) -> None:
    with pytest.raises(StructureError) as caught:
        Cell(text).backward()
    assert str(caught.value) == (
        f"the backward equations of trees are derived once, but the equations hold {cause}"
    )


def test_the_tangent_of_the_backward_reads_back() -> None:
    for name in CELLS:
        both = Cell(CELLS[name]).backward().forward_mode()
        verify(both.system)
        assert Cell(str(both)) == both, name


def test_a_feed_of_no_node_has_no_gradient() -> None:
    system = read_system(CELLS["child sum"])
    feed = feed_of(system, Graph(), 1)
    found = sent_back(
        system, derived_of(system), derived_of(system).system, feed, weights_of(system, feed, 1)
    )
    assert not any(array.any() for array in found.values())
