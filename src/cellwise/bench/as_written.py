"""A cell's equations evaluated as they are written, with the functions of an array library.

Nothing of our passes or back ends is used. An operation is one call of the library, but that a
product takes the bias that is added to it along, as `torch.nn.Linear` does. What depends on no
signal, such as `W - W.T`, is computed once before the steps.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellwise.errors import BackendError
from cellwise.graph.build import read
from cellwise.graph.node import Node, walk
from cellwise.graph.system import System

Function = Callable[..., Any]
Values = dict[Node, Any]


def _as_arrays(function: Function) -> Function:
    """An operation with the results that arrays have, also on two numbers: 1/0 is infinite."""

    def apply(a: Any, b: Any) -> Any:
        if not (isinstance(a, float) and isinstance(b, float)):
            return function(a, b)
        with np.errstate(all="ignore"):
            return float(function(np.float64(a), np.float64(b)))

    return apply


ARITHMETIC: dict[str, Function] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": _as_arrays(operator.truediv),
    "pow": _as_arrays(operator.pow),
    "neg": operator.neg,
    "abs": operator.abs,
}
"""What every array library has as an operator, numbers included."""


@dataclass(frozen=True)
class Instruction:
    """`target = function(*arguments)`."""

    target: Node
    function: Function
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class ArrayLibrary:
    """The functions of a library: a scalar that varies is an array [B, 1].

    Attributes:
        functions: by operation; one that `vectors` holds takes the vector's size as well.
        linear: (v, M, b or None) to M v + b for every row of v [B, ·].
        vectors: (v, size).
        spread: (v, like) to v for every row of `like`; v is a number or an array without rows.
    """

    functions: Mapping[str, Function]
    linear: Function
    vectors: Mapping[str, Function]
    spread: Function


class Step:
    """The equations of one step as a list of calls.

    Args:
        system: the cell's.
        library: whose functions to call.
        sizes: the numbers of the system's sizes.

    Raises:
        BackendError: an operation has no place here.
    """

    def __init__(self, system: System, library: ArrayLibrary, sizes: Mapping[str, int]):
        self.system, self.library, self.sizes = system, library, sizes
        roots = [line.value for line in system.equations]
        self._uses = Counter(a for node in walk(roots) for a in node.arguments)
        self._uses.update(roots)
        nodes = [node for node in walk(roots) if node.operation != "read"]
        fixed = [node for node in nodes if not node.varies]
        self.leaves = [node for node in fixed if not node.arguments]
        self._fixed = [self._instruction(node) for node in fixed if node.arguments]
        self.shared = self._shared(fixed)
        self._moving = self._list(nodes)

    def _shared(self, fixed: list[Node]) -> list[Node]:
        """What a step reads of what does not vary, numbers aside."""
        moving = {
            a
            for node in walk(e.value for e in self.system.equations)
            if node.varies
            for a in node.arguments
        }
        moving |= {line.value for line in self.system.equations if not line.value.varies}
        return [n for n in fixed if n in moving and n.operation not in ("number", "constant")]

    def once(self, parameters: Mapping[str, Any], constants: Mapping[str, float]) -> Values:
        """All that does not vary."""
        values: Values = {}
        for node in self.leaves:
            name = node.attributes[0]
            if node.operation == "number":
                values[node] = float(str(name))
            else:
                known = constants if node.operation == "constant" else parameters
                values[node] = known[str(name)]
        return _run(self._fixed, values)

    def __call__(self, values: Values, signals: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
        """The signals of a step, from what was read: ("x", "t") and ("h", "t-1")."""
        values = dict(values)
        found: dict[str, Any] = {}
        reads = {node: key for key, node in self.system.reads().items()}
        values.update((node, signals[key]) for node, key in reads.items() if key in signals)
        for line in self.system.equations:
            own = set(walk([line.value]))
            _run([i for i in self._moving if i.target in own and i.target not in values], values)
            value = values[line.value]
            if not line.value.varies:
                value = self.library.spread(value, next(iter(signals.values())))
            found[line.name] = values[read(line.name, "t", line.value.shape)] = value
        return found

    def _list(self, nodes: list[Node]) -> list[Instruction]:
        """The calls of a step; those of a sum with a bias are taken into one."""
        absorbed: set[Node] = set()
        found: list[Instruction] = []
        for node in reversed([n for n in nodes if n.varies]):
            if node in absorbed:
                continue
            biased = self._biased(node)
            if biased is None:
                found.append(self._instruction(node))
            else:
                instruction, inner = biased
                found.append(instruction)
                absorbed |= inner
        return found[::-1]

    def _biased(self, node: Node) -> tuple[Instruction, set[Node]] | None:
        """A sum of a product, a bias and perhaps more, as one instruction, and what it replaces."""
        inner: set[Node] = set()
        terms = list(self._terms(node, inner))
        biases = [t for t in terms if t.operation == "parameter" and len(t.shape) == 1]
        products = [t for t in terms if self._is_linear(t) and self._uses[t] == 1]
        if not biases or not products:
            return None
        product, bias = products[-1], biases[0]
        rest = tuple(t for t in terms if t is not product and t is not bias)
        linear = self.library.linear

        def apply(matrix: Any, vector: Any, offset: Any, *others: Any) -> Any:
            total = linear(vector, matrix, offset)
            for other in others:
                total = other + total
            return total

        arguments = (*product.arguments, bias, *rest)
        return Instruction(node, apply, arguments), inner | {product}

    def _terms(self, node: Node, inner: set[Node]) -> Iterator[Node]:
        for argument in node.arguments if node.operation == "add" else ():
            if argument.operation == "add" and argument.varies and self._uses[argument] == 1:
                inner.add(argument)
                yield from self._terms(argument, inner)
            else:
                yield argument

    @staticmethod
    def _is_linear(node: Node) -> bool:
        if node.operation != "matmul":
            return False
        matrix, vector = node.arguments
        return not matrix.varies and vector.varies and len(vector.shape) == 1

    def _instruction(self, node: Node) -> Instruction:
        return Instruction(node, self._function(node), node.arguments)

    def _function(self, node: Node) -> Function:
        library = self.library
        if any(len(n.shape) > 1 and n.varies for n in (node, *node.arguments)):
            raise BackendError(f"'{node.operation}' of matrices that vary is not written down here")
        if self._is_linear(node):
            return lambda matrix, vector: library.linear(vector, matrix, None)
        if node.operation in library.vectors:
            size, function = node.shape[0].evaluate(self.sizes), library.vectors[node.operation]
            return lambda vector: function(vector, size)
        found = {**ARITHMETIC, **library.functions}.get(node.operation)
        if found is None:
            raise BackendError(f"'{node.operation}' is not written down here")
        if node.operation == "concat" and node.varies:
            return self._rows_joined(node, found)
        return found

    def _rows_joined(self, node: Node, concat: Function) -> Function:
        """Pieces side by side in every row, those that do not vary as often as there are rows."""
        varies = [argument.varies for argument in node.arguments]
        spread, moving = self.library.spread, varies.index(True)

        def apply(*pieces: Any) -> Any:
            like = pieces[moving]
            pairs = zip(pieces, varies, strict=True)
            return concat(*(piece if moves else spread(piece, like) for piece, moves in pairs))

        return apply


def _run(instructions: list[Instruction], values: Values) -> Values:
    for one in instructions:
        values[one.target] = one.function(*(values[a] for a in one.arguments))
    return values
