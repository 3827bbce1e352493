"""Sample cells that between them use every corner of the notation, and data for them. No torch."""

from __future__ import annotations

import numpy as np

from cellwise.graph.node import walk
from cellwise.graph.system import System
from tests.evaluate import Array, Feed, evaluate

SAMPLES = {
    "elman": "h[t] = tanh(U @ x[t] + W @ h[t-1] + b)",
    "gru": """
        z[t] = sigmoid(U_z @ x[t] + W_z @ h[t-1] + b_z)
        r[t] = sigmoid(U_r @ x[t] + W_r @ h[t-1] + b_r)
        g[t] = tanh(U_h @ x[t] + W_h @ (r[t] * h[t-1]) + b_h)
        h[t] = (1 - z[t]) * h[t-1] + z[t] * g[t]
        h[0] = h_0""",
    "lstm": """
        f[t] = sigmoid(W_f @ [x[t], h[t-1]] + b_f)
        i[t] = sigmoid(W_i @ [x[t], h[t-1]] + b_i)
        o[t] = sigmoid(W_o @ [x[t], h[t-1]] + p * c[t-1] + b_o)
        c[t] = f[t] * c[t-1] + i[t] * tanh(W_c @ [x[t], h[t-1]] + b_c)
        h[t] = o[t] * tanh(c[t])
        c[0] = c_0""",
    "unnamed products": """
        h[t] = h[t-1] + silu(W @ h[t-1] + U @ x[t]) * (V @ (h[t-1] * softplus(Q @ h[t-1])))""",
    "scalar state": """
        s[t] = 0.5 * s[t-1] + mean(x[t]) * dot(v, x[t])
        h[t] = tanh(W @ h[t-1] + U @ x[t]) * exp(-s[t] * s[t]) + s[t-1]""",
    "no parameters": "h[t] = 0.5 * h[t-1] + sin(x[t])",
    "no state": "y[t] = sigmoid(U @ x[t] + b)",
    "output is no state": """
        c[t] = tanh(W @ c[t-1] + U @ x[t])
        m[t] = sigmoid(U @ x[t] + c[t-1])
        y[t] = V @ (c[t] * c[t-1]) + b * sum(c[t])""",
    "state outside the recurrence": """
        e[t] = tanh(U @ x[t])
        y[t] = W @ e[t-1] + e[t]""",
    "two inputs": """
        a[t] = U @ x[t] + V @ u[t] + b
        g[t] = sigmoid(Q @ x[t] + R @ u[t] + W @ h[t-1])
        h[t] = g[t] * tanh(a[t]) + (1 - g[t]) * h[t-1]""",
    "norm and softmax": """
        n[t] = norm(W @ h[t-1] + U @ x[t]) * gain + bias
        h[t] = tanh(n[t]) * softmax(V @ h[t-1])""",
    "bilinear": "h[t] = tanh(bilinear(V, x[t], h[t-1]) + bilinear(V, x[t], h[t-1] * h[t-1]) + b)",
    "tied weights": "h[t] = tanh(W @ h[t-1] + W.T @ tanh(W @ h[t-1]) + U @ x[t])",
    "antisymmetric": "h[t] = h[t-1] + eps * tanh((W - W.T) @ h[t-1] - gamma * h[t-1] + V @ x[t])\n"
    "eps = 0.1\ngamma = 0.2",
    "fixed expressions": """
        a[t] = tanh(b)
        h[t] = exp(A) * h[t-1] + a[t] * (W @ c) + norm(b + c) * sum(x[t]) + softmax(b)""",
    "shared initial": """
        c[t] = tanh(W @ h[t-1] + U @ x[t])
        h[t] = c[t] * h[t-1] + c[t-1] + b
        h[0] = b
        c[0] = b""",
    "kinks": """
        a[t] = relu(U @ x[t]) - abs(W @ h[t-1])
        h[t] = max(a[t], 0.3 * h[t-1]) + min(a[t], x[t]) * max(x[t]) + hard_tanh(a[t])""",
    "dead ends": """
        d[t] = step(x[t]) + b * sign(u[t])
        q[t] = tanh(W @ h[t-1])
        h[t] = h[t-1] * 0.5 + d[t] * p""",
    "powers": """
        p[t] = softplus(U @ x[t]) + 1
        h[t] = p[t] ** tanh(W @ h[t-1]) / (1 + p[t] ** 2) + sqrt(p[t]) * log(p[t] ** 1.5)""",
    "taken names": """
        d_h[t] = tanh(W @ x[t] + d_out_h @ h[t-1])
        d_prev_h[t] = d_h[t] * h_dot
        h[t] = h[t-1] * d_prev_h[t]""",
    "indexed sums": """
        z[t] = sigmoid(U @ x[t] - W @ h[t-1] + b + (V @ x[t] - c))
        h[t] = z[t] * h[t-1] + (1 - z[t]) * tanh(U @ x[t] + V @ x[t])""",
}
"""Texts of cells."""

SIZES = {"x": 3, "u": 2}
"""The sizes of vectors; all others are `OTHER`."""
OTHER = 4


def feed_of(system: System, seed: int, steps: int) -> Feed:
    """Random data for a cell: inputs, initial states that are not learned, parameters."""
    rng = np.random.default_rng(seed)
    shapes = [node.shape for node in walk(system.roots())]
    names = dict.fromkeys(name for shape in shapes for size in shape for name in size.names())
    sizes = {name: SIZES.get(name, OTHER) for name in names}

    def draw(*leading: int, name: str, scale: float) -> Array:
        shape = [size.evaluate(sizes) for size in every[name]]
        return np.asarray(rng.normal(scale=scale, size=(*leading, *shape)))

    every = {**system.parameters, **{name: system.shape_of(name) for name in system.defined}}
    every |= {name: system.shape_of(name) for name in system.inputs}
    learned = {state for state, _ in system.initial}
    return Feed(
        steps,
        {name: draw(steps, name=name, scale=1) for name in system.inputs},
        {name: draw(name=name, scale=0.5) for name in system.states if name not in learned},
        {name: draw(name=name, scale=0.5) for name in system.parameters},
        sizes=sizes,
    )


def loss(system: System, feed: Feed, weights: Array, edges: dict[str, Array]) -> float:
    """A number to differentiate: all outputs and all final states, weighted."""
    trace = evaluate(system, feed)
    final = sum(float(np.sum(edges[name] * trace.edges[name])) for name in system.states)
    return float(np.sum(weights * trace.signals[system.output])) + final


def cotangents(system: System, feed: Feed, seed: int) -> tuple[Array, dict[str, Array]]:
    """Random weights for `loss`: of the output at each step, and of each final state."""
    rng = np.random.default_rng([seed, 1])
    trace = evaluate(system, feed)
    output = trace.signals[system.output]
    edges = {name: rng.normal(size=trace.edges[name].shape) for name in system.states}
    return np.asarray(rng.normal(size=output.shape)), edges
