"""⟨u, Jv⟩ = ⟨Jᵀu, v⟩ for the derived equations of random cells over trees, as they are written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from cellwise.autodiff.forward import tangent
from cellwise.autodiff.recursion import backward_over_nodes, settle
from cellwise.equation import read_system
from cellwise.passes.tidy import readable_backward, readable_tangent
from tests.evaluate_nodes import Graph, evaluate_nodes
from tests.graphs import BINARY, feed_of, weights_of
from tests.laws.generate import tree_texts
from tests.tolerances import TOLERANCE

GRAD = TOLERANCE[torch.float64]["grad"]
DAG = Graph([[1, 2], [2, 3], [3], []], ("left", "right", "left", "right", "left"))


@given(text=tree_texts(), graph=st.sampled_from([BINARY, DAG]), seed=st.integers(0, 99))
def test_forward_mode_and_backward_are_adjoint(text: str, graph: Graph, seed: int) -> None:
    system, rng = read_system(text), np.random.default_rng(seed)
    feed = feed_of(system, graph, seed)
    given_ = {**feed.signals, **feed.parameters}
    by = {name: rng.normal(size=array.shape) for name, array in given_.items()}
    weights = weights_of(system, feed, seed)
    primal, settled = evaluate_nodes(system, feed).signals, settle(system)
    assume(all(np.isfinite(array).all() for array in primal.values()))

    names, pushed = tangent(system).names, readable_tangent(system)
    signals = {n: primal[n] for n in pushed.given} | {names[n]: by[n] for n in feed.signals}
    parameters = {**feed.parameters, **{names[n]: by[n] for n in feed.parameters}}
    dots = evaluate_nodes(pushed, replace(feed, signals=signals, parameters=parameters)).signals
    moved = [weight * dots[names[name]] for name, weight in weights.items()]
    assume(all(np.isfinite(array).all() for array in moved))

    derived, back = backward_over_nodes(settled, tuple(weights)), readable_backward(system)
    signals = {n: primal[n] for n in back.given}
    outs = {derived.outs[name]: weight for name, weight in weights.items()}
    found = evaluate_nodes(back, replace(feed, signals=signals | outs))
    sent = [found.signals[derived.names[n]] * by[n] for n in feed.signals]
    sent += [found.totals[derived.names[n]] * by[n] for n in feed.parameters]
    scale = sum(np.abs(array).sum() for array in moved) + sum(np.abs(a).sum() for a in sent) + 1
    one, two = (sum(array.sum() for array in arrays) / scale for arrays in (moved, sent))
    np.testing.assert_allclose(one, two, **GRAD)
