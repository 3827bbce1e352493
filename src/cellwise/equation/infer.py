"""From resolved lines to a system of nodes."""

from __future__ import annotations

from cellwise.equation.arrange import Layout
from cellwise.equation.shapes import Shapes
from cellwise.equation.syntax import Line, Term, postorder
from cellwise.errors import EquationError, ShapeError, Span
from cellwise.graph.build import build, constant, number, parameter, read
from cellwise.graph.node import Attribute, Node
from cellwise.graph.system import Equation, System


class Builder:
    """Makes the nodes of a layout, and remembers where in the text each stands."""

    def __init__(self, layout: Layout):
        self.layout, self.shapes = layout, Shapes(layout)
        self.spans: dict[Node, Span] = {}

    def system(self) -> System:
        """The system that the lines say.

        Raises:
            ShapeError: shapes do not fit.
        """
        layout = self.layout
        return System(
            equations=tuple(self._equation(line) for line in layout.steps),
            output=layout.output,
            totals=tuple(self._equation(line) for line in layout.totals),
            leaf=tuple(self._equation(line) for line in layout.leaves),
            initial=tuple(self._initial()),
            constants=tuple((name, line.value.value) for name, line in layout.constants.items()),
            given=tuple(layout.given),
            spans=self.spans,
        )

    def _initial(self) -> list[tuple[str, Node]]:
        found = []
        for name, line in self.layout.initial.items():
            if line.value.kind == "parameter":
                shape = self.shapes.initial(line.value)
                found.append((name, self._keep(parameter(line.value.name, shape), line.value)))
        return found

    def _equation(self, line: Line) -> Equation:
        nodes: dict[Term, Node] = {}
        for term in postorder(line.value):
            try:
                node = self._node(term, tuple(nodes[a] for a in term.arguments))
            except (EquationError, ShapeError) as error:
                raise error.at(term.span) from None
            nodes[term] = self._keep(node, term)
        value = nodes[line.value]
        if line.index and not value.shape and (shape := self.shapes.signal(line.name)):
            value = build("broadcast", value, attributes=(shape,))
        return Equation(line.name, line.index, value, line.comment, line.span)

    def _keep(self, node: Node, term: Term) -> Node:
        self.spans.setdefault(node, term.span)
        return node

    def _node(self, term: Term, arguments: tuple[Node, ...]) -> Node:
        if term.kind == "read":
            return read(term.name, term.index, self.shapes.of(term))
        if term.kind == "parameter":
            return parameter(term.name, self.shapes.of(term))
        if term.kind == "labelled":
            return build("labelled", attributes=(term.name, term.index, self.shapes.of(term)))
        if term.kind == "constant":
            return constant(term.name)
        if term.kind == "number":
            return number(term.value)
        return build(term.kind, *arguments, attributes=self._attributes(term))

    def _attributes(self, term: Term) -> tuple[Attribute, ...]:
        if term.kind == "part":
            return (term.axes[0], self.shapes.pieces(term))
        if term.kind == "permute":
            return (term.axes,)
        if term.kind == "broadcast":
            return (self.shapes.of(term),)
        return (term.index,) if term.kind in ("sum_parents", "total_labelled") else ()
