"""What a stage reads and writes in memory: places of signals, and what is the same in all rows."""

from __future__ import annotations

from cellwise.backends.cpu.layout import Layout, Place
from cellwise.graph.node import Node, walk
from cellwise.graph.operations import OPERATIONS
from cellwise.passes.stages import Access, Stage


class StagePlaces:
    """The places that one stage reads and writes: the columns of its table of addresses."""

    def __init__(self, stage: Stage, layout: Layout):
        self.stage, self.layout = stage, layout
        self.order: list[Place] = []
        self.of_read: dict[Node, int] = {}
        for piece in stage.pieces:
            for node in gathered_nodes(piece.value):
                for kind in ("begin", "end"):
                    self._number(Place(kind, str(node.attributes[0]), 0))
            for access in layout.elements.accesses(piece.value, piece.start, piece.size):
                if access.node.operation == "read" and not self._own(access):
                    place = layout.read(access.node, stage.section)
                    self.of_read[access.node] = self._number(place)
        self.of_piece = {
            p: [self._number(place) for place in layout.stores(p)] for p in stage.pieces
        }

    def of_list(self, kind: str, over: str) -> int:
        """The column that says where the list of gathered rows begins, or ends."""
        return self.order.index(Place(kind, over, 0))

    def _own(self, access: Access) -> bool:
        key = (str(access.node.attributes[0]), access.start, access.size)
        return access.node.attributes[1] == "t" and key in self.stage.own

    def _number(self, place: Place) -> int:
        if place not in self.order:
            self.order.append(place)
        return self.order.index(place)


def gathered_nodes(value: Node) -> list[Node]:
    """The sums over other rows in an expression."""
    return [node for node in walk([value]) if node.operation == "gathered"]


def fixed_nodes(stage: Stage, layout: Layout) -> list[Node]:
    """What a stage reads that is the same in all rows, literals aside."""
    found: dict[Node, None] = {}
    stack: list[tuple[Node, int]] = [(p.value, p.start) for p in stage.pieces]
    seen: set[tuple[Node, int]] = set()
    while stack:
        entry = stack.pop()
        node, start = entry
        if entry in seen or node.operation in ("read", "hole", "number", "constant"):
            continue
        seen.add(entry)
        if node.operation == "gathered":
            body = node.attributes[1]
            assert isinstance(body, Node)
            stack.append((body, start if body.shape else 0))
        if node.varies or node.operation in ("concat", "part", "broadcast"):
            if node.operation != "matmul":
                inner = layout.elements.arguments(node, start, stage.size)
                stack.extend((n, at) for n, at, _ in inner)
        elif node.shape or not is_literal(node):
            found[node] = None
    return list(found)


def is_literal(node: Node) -> bool:
    """Whether a scalar is made of numbers and constants alone."""
    leaves = ("number", "constant")
    return all(
        n.operation in leaves or OPERATIONS[n.operation].kind == "elementwise" for n in walk([node])
    )
