"""Share, over trees: what nodes, edges or leaves compute more than once gets an equation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from cellwise.autodiff.derivative import Names, names_of
from cellwise.graph.build import read, remake
from cellwise.graph.node import Node
from cellwise.graph.places import indices, inside, place_of, walk_places
from cellwise.graph.system import Equation, System
from cellwise.graph.verify import OVER_STEPS
from cellwise.passes.share import wanted_name, worthwhile

Spot = tuple[str, Node]
"""An expression, and where it is evaluated: at nodes, edges or leaves."""


def share_nodes(system: System, *, taken: Collection[str] = ()) -> System:
    """The system over trees with a name for every expression that it uses more than once.

    No new name is among those that are `taken`.

    What an edge computes of its parent end alone is computed there, once a node.
    """
    uses: Counter[Spot] = Counter()
    seen: set[Spot] = set()
    order: list[Spot] = []
    for line in system.lines():
        place = place_of(line, system)
        uses[_spot(line.value, place)] += bool(line.index)
        for node, here in walk_places(line.value, place):
            spot = _spot(node, here)
            if spot not in seen:
                seen.add(spot)
                order.append(spot)
                uses.update({_spot(a, inside(node, here)) for a in node.arguments})
    named = {
        (line.index, line.value): line.name
        for line in reversed((*system.leaf, *system.equations))
        if line.value.varies and line.value.arguments
    }
    wanted = [s for s in order if uses[s] > 1 and s not in named and worthwhile(s[1], system)]
    return _Namer(system, {**named, **dict.fromkeys(wanted, "")}, taken).system_of()


def name_spots(system: System, spots: Collection[Spot]) -> System:
    """The system over trees with an equation for each of these expressions."""
    names = {_spot(node, place): "" for place, node in spots}
    return _Namer(system, names).system_of()


def _spot(node: Node, place: str) -> Spot:
    """What is read of the parent alone belongs to the parent's node."""
    return ("n" if place == "n,k" and indices(node) == {"n"} else place), node


@dataclass
class _Namer:
    """Writes the lines anew, each after those that it reads at the same node.

    Attributes:
        names: of spots; empty where a name is to be made up.
        taken: what no such name is, besides the system's own.
        lines, leaf: the lines written so far.
        memo: what stands for a spot, seen from its own node or from a child.
        waiting: spots that only children have read so far, and who reads them.
    """

    system: System
    names: dict[Spot, str]
    taken: Collection[str] = ()
    lines: list[Equation] = field(default_factory=list)
    leaf: list[Equation] = field(default_factory=list)
    memo: dict[tuple[str, bool, Node], Node] = field(default_factory=dict)
    emitted: set[tuple[bool, str]] = field(default_factory=set)
    waiting: dict[Spot, str] = field(default_factory=dict)
    made: dict[tuple[str, bool], Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lines = (*self.system.leaf, *self.system.equations)
        self.by_name = {(line.index == "leaf", line.name): line for line in lines}
        self.fresh: Names = names_of(self.system, self.taken)

    def system_of(self) -> System:
        """The system, rewritten."""
        for line in (*self.system.leaf, *self.system.equations):
            self.emit(line)
        while self.waiting:
            (place, node), user = next(iter(self.waiting.items()))
            del self.waiting[place, node]
            self._line(place, node, user)
        totals = tuple(
            replace(e, value=self._renew(e.value, place_of(e, self.system), e.name))
            for e in self.system.totals
        )
        return replace(
            self.system, equations=tuple(self.lines), leaf=tuple(self.leaf), totals=totals
        )

    def emit(self, line: Equation) -> None:
        """Add a line, and what is named in it ahead of it."""
        key = (line.index == "leaf", line.name)
        if key in self.emitted:
            return
        self.emitted.add(key)
        value = line.value
        if self.names.get(_spot(value, line.index)) == line.name:
            value = self._whole(value, line.index, line.name)
        else:
            value = self._renew(value, line.index, line.name)
        (self.leaf if key[0] else self.lines).append(replace(line, value=value))

    def _whole(self, node: Node, place: str, user: str) -> Node:
        """A node with all below it renewed, though not replaced by a name itself."""
        within, upward = inside(node, place), node.operation == "sum_parents"
        return remake(node, [self._renew(a, within, user, upward) for a in node.arguments])

    def _renew(self, root: Node, place: str, user: str, upward: bool = False) -> Node:
        stack = [(root, place, upward, False)]
        while stack:
            node, here, above, ready = stack.pop()
            key = (_spot(node, here)[0], above, node)
            if key in self.memo:
                continue
            if self.names.get(_spot(node, here)) is not None and node.operation not in OVER_STEPS:
                self.memo[key] = self._named(key[0], node, user, above)
                continue
            within, higher = inside(node, here), above or node.operation == "sum_parents"
            if ready:
                arguments = [self.memo[_spot(a, within)[0], higher, a] for a in node.arguments]
                self.memo[key] = remake(node, arguments)
            else:
                stack.append((node, here, above, True))
                stack += [(a, within, higher, False) for a in reversed(node.arguments)]
        return self.memo[_spot(root, place)[0], upward, root]

    def _named(self, place: str, node: Node, user: str, above: bool) -> Node:
        """The read of a named spot, whose line is added unless only children read it so far."""
        name = self.names[place, node]
        known = (place == "leaf", name)
        if known in self.by_name:
            if not above:
                self.emit(self.by_name[known])
            return read(name, place, node.shape)
        if above and not name:
            self.names[place, node] = name = self._made_up(node, place, user)
            self.waiting[place, node] = name
        elif not above and (not name or (place, node) in self.waiting):
            self.waiting.pop((place, node), None)
            name = self._line(place, node, user)
        return read(name, place, node.shape)

    def _line(self, place: str, node: Node, user: str) -> str:
        """Add a line for a spot."""
        value = self._whole(node, place, user)
        name = self.names[place, node] or self._made_up(value, place, user)
        self.names[place, node] = name
        (self.leaf if place == "leaf" else self.lines).append(Equation(name, place, value))
        return name

    def _made_up(self, value: Node, place: str, user: str) -> str:
        """A name; a leaf's and a node's may be the same."""
        here = ("n,k", "n") if place == "n,k" else (place,)
        wanted, numbered = wanted_name(value, here, user, self._known())
        at_leaf = place == "leaf"
        twin = self.made.get((wanted, not at_leaf))
        free = (wanted, at_leaf) not in self.made and place != "n,k"
        if twin is not None and free and twin.shape == value.shape:
            self.made[wanted, at_leaf] = twin
            return str(twin.attributes[0])
        name = self.fresh.numbered(wanted) if numbered else self.fresh.fresh_or_numbered(wanted)
        if place != "n,k":
            self.made.setdefault((wanted, at_leaf), read(name, place, value.shape))
        return name

    def _known(self) -> set[str]:
        """The names that lines define."""
        return {name for _, name in self.emitted} | {e.name for e in (*self.leaf, *self.lines)}
