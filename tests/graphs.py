"""Sample cells over trees and graphs, structures of plain lists for them, and data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwise.graph.node import walk
from cellwise.graph.system import System
from tests.evaluate import Array, Feed
from tests.evaluate_nodes import Graph, NodesFeed, evaluate_nodes

CELLS = {
    "child sum": """
        s[n] = sum(h[k] for k in n)
        i[n] = sigmoid(U_i @ x[n] + W_i @ s[n] + b_i)
        o[n] = sigmoid(U_o @ x[n] + W_o @ s[n] + b_o)
        u[n] = tanh(U_u @ x[n] + W_u @ s[n] + b_u)
        f[n,k] = sigmoid(U_f @ x[n] + W_f @ h[k] + b_f)  # one for each child
        c[n] = i[n] * u[n] + sum(f[n,k] * c[k] for k in n)
        h[n] = o[n] * tanh(c[n])""",
    "recursive": "h[leaf] = x[leaf]\nh[n] = tanh(W @ [h[left], h[right]] + b)",
    "rntn": """
        h[leaf] = x[leaf]
        p[n] = [h[left], h[right]]
        h[n] = tanh(bilinear(V, p[n], p[n]) + W @ p[n] + b)""",
    "binary": """
        i[leaf] = sigmoid(U_i @ x[leaf] + b_i)
        c[leaf] = i[leaf] * tanh(U_u @ x[leaf] + b_u)
        h[leaf] = tanh(c[leaf])
        i[n] = sigmoid(L_i @ h[left] + R_i @ h[right] + b_i)
        f[n] = sigmoid(A @ h[left] + B @ h[right] + b_f)
        g[n] = sigmoid(C @ h[left] + D @ h[right] + b_f)
        u[n] = tanh(L_u @ h[left] + R_u @ h[right] + b_u)
        c[n] = i[n] * u[n] + f[n] * c[left] + g[n] * c[right]
        h[n] = tanh(c[n])""",
    "down": "h[n] = tanh(U @ x[n] + W @ h[parent] + b)",
    "down with leaves": "h[leaf] = V @ h[parent] * x[leaf]\nh[n] = tanh(U @ x[n] + W @ h[parent])",
    "dependency": "h[n] = tanh(U @ x[n] + b + sum(W[r] @ h[k] for k in n))",
    "grid": "h[n] = tanh(U @ x[n] + W @ h[left] + V @ h[up] + b)",
    "mixed edges": """
        h[n] = tanh(U @ x[n] + sum(W @ (sigmoid(V @ h[k] + x[n]) * h[k]) for k in n) + w * x[n])""",
    "sum within": """
        a = 0.5
        h[n] = tanh(W @ (x[n] * sum(h[k] for k in n)) + a * sum(x[n] * h[k] * h[k] for k in n))""",
    "edges of edges": """
        e[n,k] = tanh(W @ h[k] + U @ x[n])
        f[n,k] = softmax(e[n,k] + b) * x[n]
        h[n] = x[n] + sum(f[n,k] * e[n,k] + b for k in n)""",
    "output is no state": """
        c[n] = tanh(W @ x[n] + sum(c[k] for k in n))
        y[n] = V @ c[n] + b""",
    "up then down": """
        u[n] = tanh(U @ x[n] + W @ sum(u[k] for k in n))
        d[n] = tanh(V @ u[n] + Q @ d[parent])""",
    "slots and children": """
        h[n] = tanh(x[n] + W @ h[left] + V @ sum(h[k] * h[k] for k in n) * h[right])""",
    "no parameters": "h[n] = x[n] + 0.5 * sum(sin(h[k]) for k in n)",
    "scalars": """
        s[n] = dot(v, x[n]) + sum(s[k] * s[k] for k in n) * 0.1
        h[n] = tanh(s[n] * x[n] + sum(greater(h[k], x[n]) * h[k] for k in n))""",
    "fixed expressions": """
        h[leaf] = tanh(b) * x[leaf]
        h[n] = exp(A) * h[left] + tanh(b) * sum(h[k] for k in n) + norm(b + c)""",
    "counts": "h[n] = tanh(U @ x[n] + sum(b for k in n)) + 0.5 * sum(h[k] for k in n)",
    "gates by label": """
        f[n,k] = sigmoid(W[r] @ h[k] + v[r] * x[n] + b)
        h[n] = tanh(U @ x[n] + sum(f[n,k] * h[k] for k in n))""",
    "taken names": """
        d_h[n] = tanh(W @ x[n] + d_out_h @ sum(h[k] for k in n))
        sum_1[n] = d_h[n] * h_dot
        h[n] = sum_1[n] + sum(d_h[k] for k in n)""",
}
"""Texts of cells."""

TREE = [[1, 2], [3, 4], [5, 6], [], [], [7, 8], [], [], []]
STAR = [[1, 2, 3], [4], [], [5, 6], [], [], [], [8], []]
SHARED = [[1, 2], [2, 3], [3], [], []]
SIDES = ("left", "right")
BINARY = Graph(TREE, SIDES * 4)
GRID = Graph(
    [[], [0], [1], [0], [1, 3], [2, 4]], ["left", "left", "up", "up", "left", "up", "left"]
)
GRAPHS = {
    "recursive": BINARY,
    "rntn": BINARY,
    "binary": BINARY,
    "grid": GRID,
    "down": Graph(STAR),
    "down with leaves": Graph(STAR),
    "up then down": Graph(STAR),
    "dependency": Graph(STAR, (), (0, 2, 1, 1, 0, 2, 2)),
    "gates by label": Graph(SHARED, (), (0, 2, 1, 1, 0)),
    "slots and children": BINARY,
    "fixed expressions": BINARY,
}
"""Where a cell needs slots, labels or a single parent; others run over any graph."""


def graphs_of(name: str) -> Sequence[Graph]:
    """The structures that a cell runs over."""
    return [GRAPHS[name]] if name in GRAPHS else [Graph(STAR), Graph(SHARED)]


def feed_of(system: System, graph: Graph, seed: int) -> NodesFeed:
    """Random inputs and parameters, all vectors of size 2."""
    rng = np.random.default_rng(seed)
    names = {n for node in walk(system.roots()) for d in node.shape for n in d.names()}
    sizes = dict.fromkeys(sorted(names), 2)
    labelled = {str(n.attributes[0]) for n in walk(system.roots()) if n.operation == "labelled"}

    def draw(name: str) -> Array:
        shape = [size.evaluate(sizes) for size in system.parameters[name]]
        return 0.7 * rng.normal(size=(3, *shape) if name in labelled else shape)

    count = len(graph.children)
    signals = {
        name: rng.normal(size=(count, *(d.evaluate(sizes) for d in system.shape_of(name))))
        for name in system.inputs
    }
    parameters = {name: draw(name) for name in system.parameters}
    return NodesFeed(count, signals, {}, parameters, {}, sizes, graph)


def weights_of(system: System, feed: Feed, seed: int) -> dict[str, Array]:
    """Random cotangents of the output and the states."""
    rng = np.random.default_rng(seed)
    signals = evaluate_nodes(system, feed).signals
    names = dict.fromkeys([system.output, *system.states])
    return {name: rng.normal(size=signals[name].shape) for name in names}


def loss(system: System, feed: Feed, weights: dict[str, Array]) -> float:
    """A number that depends on everything."""
    signals = evaluate_nodes(system, feed).signals
    return float(sum((signals[name] * weight).sum() for name, weight in weights.items()))
