"""What the equations of a system leave open about sizes, so that their text must say it."""

from __future__ import annotations

from collections import defaultdict, deque

from cellwise.equation.levels import ARRAY, ELEMENTWISE, OVER, SCALAR, UNKNOWN
from cellwise.equation.read import read_layout
from cellwise.equation.shapes import Shapes
from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Node, walk
from cellwise.graph.system import Equation, System


def misread(system: System) -> tuple[list[str], list[str]]:
    """The scalars and the vectors that a reader of the equations would not take for such."""
    real = {name: SCALAR if not shape else ARRAY for name, shape in _shapes(system).items()}
    totals = {line.name for line in system.totals}
    free = {name: level for name, level in real.items() if name not in system.defined}
    guessed = _guess(system, free) | dict.fromkeys(free, ARRAY)
    wrong = [name for name in real if guessed[name] != real[name] and name not in totals]
    nodes = {node for line in system.lines() for node in walk([line.value])}
    scalars = [str(n.attributes[0]) for n in nodes if n.operation == "parameter" and not n.shape]
    vectors = [name for name in wrong if real[name] == ARRAY]
    return [n for n in wrong if real[n] == SCALAR] + sorted(scalars), vectors


def _shapes(system: System) -> dict[str, Shape]:
    """The shape of every signal, in the order of the text."""
    found: dict[str, Shape] = {}
    for line in system.lines():
        if line.index:
            found.setdefault(line.name, line.value.shape)
        for node in walk([line.value]):
            if node.operation == "read" and node.attributes[1]:
                found.setdefault(str(node.attributes[0]), node.shape)
    return found


def _guess(system: System, free: dict[str, int]) -> dict[str, int]:
    """What `levels` makes of the text: the least fixpoint; free signals are as declared."""
    known = free | {line.name: UNKNOWN for line in system.lines()}
    lines = list(system.lines())
    readers: dict[str, list[Equation]] = defaultdict(list)
    for line in lines:
        for node in walk([line.value]):
            if node.operation == "read" and str(node.attributes[0]) in known:
                readers[str(node.attributes[0])].append(line)
    queue = deque(lines)
    while queue:
        line = queue.popleft()
        level = max(known[line.name], _level(line.value, known))
        if level != known[line.name]:
            known[line.name] = level
            queue.extend(readers[line.name])
    return {name: level or ARRAY for name, level in known.items()}


def _level(root: Node, known: dict[str, int]) -> int:
    found: dict[Node, int] = {}
    for node in walk([root]):
        if node.operation == "read":
            found[node] = known[str(node.attributes[0])]
        elif node.operation in ELEMENTWISE or node.operation in OVER:
            found[node] = max(found[a] for a in node.arguments)
        else:
            found[node] = ARRAY if node.shape else SCALAR
    return found[root]


def open_broadcasts(system: System) -> set[Node]:
    """The broadcasts whose size does not follow from where they stand."""
    nodes = list(walk(system.roots()))
    loose: set[Node] = set()
    for node in nodes:
        arrays = [a for a in node.arguments if a.shape]
        joined = node.operation in ELEMENTWISE and arrays and all(a in loose for a in arrays)
        if node.operation == "broadcast" or joined:
            loose.add(node)
    found = {line.value for line in system.totals if line.value in loose}
    for node in reversed(nodes):
        if node in loose and node in found:
            found.update(a for a in node.arguments if a in loose)
        elif node not in loose and node.operation not in ELEMENTWISE:
            settled = node.arguments[1:] if node.operation == "matmul" else ()
            found.update(a for a in node.arguments if a in loose and a not in settled)
    return {node for node in found if node.operation == "broadcast"}


def unsaid(system: System, text: str) -> list[tuple[str, ...]]:
    """Groups of names that have one size in the system, though its text does not say so."""
    shapes = Shapes(read_layout(text))
    found = []
    for names in _by_size(system).values():
        distinct: dict[Dim, str] = {}
        for name in names:
            distinct.setdefault(shapes.named(name), name)
        if len(distinct) > 1:
            found.append(tuple(distinct.values()))
            shapes.join(found[-1])
    return found


def _by_size(system: System) -> dict[Dim, list[str]]:
    """The signals and parameters by the size that they have, in the order of the text."""
    groups: dict[Dim, list[str]] = defaultdict(list)
    for name, shape in _shapes(system).items():
        if shape:
            groups[shape[0]].append(name)
    for name, shape in system.parameters.items():
        for axis, size in enumerate(shape):
            groups[size].append(f"{name}.{axis}" if axis else name)
    return groups
