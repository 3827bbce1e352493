"""Systems evaluated as they are written: one sequence, step by step, in numpy, float64.

    trace = evaluate(system, feed)
    trace.signals["h"], trace.totals["d_W"]  # [T, ·], [·, ·]

Nothing here is shared with a back end, so that it judges them and the derived equations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Node, walk
from cellwise.graph.operations import EPSILON
from cellwise.graph.system import System
from cellwise.passes.program import Program

Array = NDArray[np.float64]
Arrays = Mapping[str, Array]
Sizes = dict[str, int]


@dataclass(frozen=True)
class Feed:
    """What a system reads.

    Attributes:
        steps: the number of steps.
        signals: inputs and given signals by name, [T, ·].
        edges: what is read beyond the first step (the last, at `t+1`), by signal; else zeros.
        parameters: by name.
        constants: those that differ from the system's.
        sizes: of names that no array tells.
    """

    steps: int
    signals: Arrays = field(default_factory=dict)
    edges: Arrays = field(default_factory=dict)
    parameters: Arrays = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """All values: `signals` [T, ·] (the fed ones too), `totals`, each state's last in `edges`."""

    signals: dict[str, Array]
    totals: dict[str, Array]
    edges: dict[str, Array]


def evaluate(system: System, feed: Feed) -> Trace:
    """Evaluate a chain's equations in order, from the first step or, for `t+1`, from the last."""
    return _Evaluation(system, feed).run()


class _Evaluation:
    def __init__(self, system: System, feed: Feed):
        self.system, self.feed, self.sizes = system, feed, sizes_of(system, feed)
        self.constants = {**dict(system.constants), **feed.constants}
        self.signals = {name: np.asarray(a, dtype=np.float64) for name, a in feed.signals.items()}
        for line in system.equations:
            shape = [size.evaluate(self.sizes) for size in line.value.shape]
            self.signals[line.name] = np.full((feed.steps, *shape), np.nan)
        self.edges = {name: np.asarray(a, dtype=np.float64) for name, a in feed.edges.items()}
        for state, node in system.initial:
            self.edges.setdefault(state, np.asarray(feed.parameters[str(node.attributes[0])]))

    def run(self) -> Trace:
        system, steps = self.system, range(self.feed.steps)
        sums: dict[Node, Array] = {}
        over = [n for n in walk(line.value for line in system.totals) if n.operation == "total"]
        for step in reversed(steps) if system.reverse else steps:
            for line in system.equations:
                self.signals[line.name][step] = self.values([line.value], step)[line.value]
        for step in steps:
            values = self.values([node.arguments[0] for node in over], step)
            for node in over:
                sums[node] = sums.get(node, np.float64(0)) + values[node.arguments[0]]
        totals = {line.name: self.total(line.value, sums) for line in system.totals}
        return Trace(self.signals, totals, {name: self.last(name) for name in system.states})

    def values(self, roots: Iterable[Node], step: int) -> dict[Node, Array]:
        """The values at a step of all nodes below `roots`."""
        values: dict[Node, Array] = {}
        for node in walk(roots):
            values[node] = self.value(node, [values[a] for a in node.arguments], step)
        return values

    def value(self, node: Node, arguments: Sequence[Array], step: int) -> Array:
        if node.operation == "read":
            return self.read(str(node.attributes[0]), str(node.attributes[1]), step, node.shape)
        if node.operation == "parameter":
            return np.asarray(self.feed.parameters[str(node.attributes[0])])
        if node.operation == "constant":
            return np.asarray(self.constants[str(node.attributes[0])])
        if node.operation == "number":
            return np.asarray(float(str(node.attributes[0])))
        with np.errstate(all="ignore"):
            value = OPERATE[node.operation](node, self.sizes, *arguments)
        expected = tuple(size.evaluate(self.sizes) for size in node.shape)
        assert np.shape(value) == expected, f"{node.operation}: {np.shape(value)}, not {expected}"
        return np.asarray(value, dtype=np.float64)

    def read(self, name: str, index: str, step: int, shape: Shape) -> Array:
        at = step + {"t": 0, "t-1": -1, "t+1": 1}[index]
        if 0 <= at < self.feed.steps:
            return np.asarray(self.signals[name][at])
        return self.edge(name, shape)

    def edge(self, name: str, shape: Shape) -> Array:
        if name in self.edges:
            return self.edges[name]
        return np.zeros([size.evaluate(self.sizes) for size in shape])

    def last(self, name: str) -> Array:
        if self.feed.steps == 0:
            return self.edge(name, self.system.shape_of(name))
        return np.asarray(self.signals[name][0 if self.system.reverse else -1])

    def total(self, root: Node, sums: dict[Node, Array]) -> Array:
        memo: dict[Node, Array] = {}
        inside = set(
            walk(n.arguments[0] for n in walk([root]) if n.operation in ("total", "first"))
        )
        for node in walk([root]):
            if node.operation == "total":
                shape = [size.evaluate(self.sizes) for size in node.shape]
                memo[node] = sums.get(node, np.float64(0)) + np.zeros(shape)
            elif node.operation == "first":
                (inner,) = node.arguments
                name = str(inner.attributes[0])
                memo[node] = self.read(name, "t", 0, inner.shape)
            elif node not in inside or not node.varies:
                memo[node] = self.value(node, [memo[a] for a in node.arguments], 0)
        return memo[root]


def sizes_of(system: System, feed: Feed) -> Sizes:
    """The numbers of all named sizes, from the shapes of what is fed."""
    sizes = dict(feed.sizes)
    pairs: list[tuple[Dim, int]] = []
    for node in walk(system.roots()):
        name = str(node.attributes[0]) if node.attributes else ""
        if node.operation == "parameter" and name in feed.parameters:
            pairs += zip(node.shape, feed.parameters[name].shape, strict=True)
        if node.operation == "read" and name in feed.signals:
            pairs += zip(node.shape, feed.signals[name].shape[1:], strict=True)
        if node.operation == "read" and name in feed.edges:
            pairs += zip(node.shape, feed.edges[name].shape, strict=True)
    for _ in pairs:
        for dim, size in pairs:
            unknown = [(name, count) for name, count in dim.terms if name not in sizes]
            if len(unknown) == 1:
                (name, count), *_none = unknown
                known = Dim(tuple(t for t in dim.terms if t[0] != name), dim.constant)
                sizes[name] = (size - known.evaluate(sizes)) // count
    for dim, size in pairs:
        assert dim.evaluate(sizes) == size, f"{dim} is {dim.evaluate(sizes)}, not {size}"
    return sizes


Operate = Callable[..., Array]


def _plain(function: Callable[..., object]) -> Operate:
    return lambda _node, _sizes, *arguments: np.asarray(function(*arguments))


def _sigmoid(a: Array) -> Array:
    small = np.exp(-np.abs(a))
    return np.asarray(np.where(a >= 0, 1, small) / (1 + small))


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _inverse_std(v: Array) -> Array:
    return np.asarray(1 / np.sqrt(np.var(v) + EPSILON))


def _is_largest(v: Array) -> Array:
    hit = np.asarray(v == v.max(), dtype=np.float64)
    return np.asarray(hit / hit.sum())


def _softmax(v: Array) -> Array:
    e = np.exp(v - v.max())
    return np.asarray(e / e.sum())


def _outer(*vectors: Array) -> Array:
    letters = "ijk"[: len(vectors)]
    return np.asarray(np.einsum(",".join(letters) + "->" + letters, *vectors))


def _bilinear(cube: Array, a: Array, b: Array) -> Array:
    return np.asarray(np.einsum("ijk,j,k->i", cube, a, b))


def _part(node: Node, sizes: Sizes, whole: Array) -> Array:
    index, dims = node.attributes
    assert isinstance(index, int)
    assert isinstance(dims, tuple)
    lengths = [dim.evaluate(sizes) for dim in dims if isinstance(dim, Dim)]
    start = sum(lengths[:index])
    return whole[start : start + lengths[index]]


def _broadcast(node: Node, sizes: Sizes, scalar: Array) -> Array:
    return np.broadcast_to(scalar, [size.evaluate(sizes) for size in node.shape])


def _permute(node: Node, sizes: Sizes, cube: Array) -> Array:
    axes = node.attributes[0]
    assert isinstance(axes, tuple)
    return np.asarray(np.transpose(cube, [a for a in axes if isinstance(a, int)]))


OPERATE: dict[str, Operate] = {
    "neg": _plain(np.negative),
    "abs": _plain(np.abs),
    "sign": _plain(np.sign),
    "step": _plain(lambda a: np.heaviside(a, 0)),
    "exp": _plain(np.exp),
    "log": _plain(np.log),
    "sqrt": _plain(np.sqrt),
    "sin": _plain(np.sin),
    "cos": _plain(np.cos),
    "erf": _plain(_erf),
    "tanh": _plain(np.tanh),
    "sigmoid": _plain(_sigmoid),
    "relu": _plain(lambda a: np.maximum(a, 0)),
    "softplus": _plain(lambda a: np.logaddexp(0, a)),
    "silu": _plain(lambda a: a * _sigmoid(a)),
    "gelu": _plain(lambda a: 0.5 * a * (1 + _erf(a / math.sqrt(2)))),
    "hard_sigmoid": _plain(lambda a: np.clip(a / 6 + 0.5, 0, 1)),
    "hard_tanh": _plain(lambda a: np.clip(a, -1, 1)),
    "add": _plain(np.add),
    "sub": _plain(np.subtract),
    "mul": _plain(np.multiply),
    "div": _plain(np.divide),
    "pow": _plain(np.power),
    "maximum": _plain(np.maximum),
    "minimum": _plain(np.minimum),
    "greater": _plain(lambda a, b: np.heaviside(np.subtract(a, b), 0.5)),
    "sum": _plain(np.sum),
    "mean": _plain(np.mean),
    "largest": _plain(np.max),
    "smallest": _plain(np.min),
    "dot": _plain(np.dot),
    "inverse_std": _plain(_inverse_std),
    "softmax": _plain(_softmax),
    "norm": _plain(lambda v: (v - v.mean()) * _inverse_std(v)),
    "is_largest": _plain(_is_largest),
    "matmul": _plain(np.matmul),
    "transpose": _plain(np.transpose),
    "outer": _plain(_outer),
    "bilinear": _plain(_bilinear),
    "concat": _plain(lambda *pieces: np.concatenate(pieces)),
    "part": _part,
    "broadcast": _broadcast,
    "permute": _permute,
    "flatten": _plain(lambda cube: cube.reshape(len(cube), -1)),
    "kron": _plain(np.kron),
}
"""Every operation that is neither a leaf nor over steps or children."""


def evaluate_program(program: Program, feed: Feed) -> Trace:
    """Evaluate a program as back ends do: outside the loop, an equation over all steps at once."""
    system = program.system
    signals, edges = dict(feed.signals), dict(feed.edges)
    for state, node in system.initial:
        edges.setdefault(state, np.asarray(feed.parameters[str(node.attributes[0])]))
    alone = [(line,) for line in program.before], [(line,) for line in program.after]
    for section in (*alone[0], program.loop, *alone[1]):
        lines = replace(system, equations=section, totals=(), initial=())
        trace = evaluate(lines, replace(feed, signals=signals, edges=edges))
        signals = trace.signals
    sums = replace(system, equations=(), totals=program.totals, initial=())
    totals = evaluate(sums, replace(feed, signals=signals, edges=edges)).totals
    last = _Evaluation(system, replace(feed, edges=edges))
    last.signals = signals
    return Trace(signals, totals, {name: last.last(name) for name in system.states})
