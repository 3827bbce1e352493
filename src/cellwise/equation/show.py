"""From a system of equations back to text, Unicode and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator

from cellwise.equation.latex import LATEX, latex_name, latex_number
from cellwise.equation.over import as_written
from cellwise.equation.piece import Piece, plain_number
from cellwise.equation.symbols import SYMBOLS, Context, Printer, Style, place
from cellwise.equation.unsaid import misread, open_broadcasts, unsaid
from cellwise.graph.dimension import Dim
from cellwise.graph.node import Node, walk
from cellwise.graph.system import Equation, System


def show(system: System, style: Style = "text") -> str:
    """The equations of a system, one a line; text and Unicode can be read back.

    Args:
        system: what to print.
        style: `text` (ASCII signs), `unicode`, or `latex` (an `aligned` block).
    """
    written = all(line.span and "same" not in line.span.text for line in system.lines())
    system = as_written(system)
    writer = _Writer(system, style)
    if style != "latex" and (system.given or not written):
        text = "\n".join(writer.text())
        writer.same = unsaid(system, text)
        return "\n".join(writer.text()) if writer.same else text
    if style == "latex":
        rows = " \\\\\n".join(f"  {left} &= {right}" for left, right in writer.latex())
        return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"
    return "\n".join(writer.text())


class _Writer(Context):
    """Prints the lines of one system; knows a name for every size."""

    def __init__(self, system: System, style: Style):
        self.system, self.style = system, style
        self.derived = bool(system.given)
        self.open = open_broadcasts(system)
        self.same: list[tuple[str, ...]] = []
        self._sizes: dict[Dim, str] | None = None
        self._table: dict[str, Printer] = LATEX if style == "latex" else SYMBOLS
        self._done: dict[Node, Piece] = {}

    def text(self) -> Iterator[str]:
        """The lines of text or Unicode."""
        system = self.system
        for name, value in system.constants:
            yield f"{name} = {self._signed(value)}"
        yield from self._declarations()
        for name, node in system.initial:
            yield f"{place(name, '0', self.style)} = {self.value(node)}"
        for line in system.lines():
            words = f"{place(line.name, line.index, self.style)} = {self.value(line.value)}"
            yield words + _comment(line)

    def latex(self) -> Iterator[tuple[str, str]]:
        """The left and right sides in LaTeX."""
        system = self.system
        for name, value in system.constants:
            yield latex_name(name, "", derived=False), latex_number(value)
        for name, node in system.initial:
            state, start = latex_name(name, "0", derived=self.derived), self.value(node)
            if state != start:  # h_0 = h_0 says nothing
                yield state, start
        for line in system.lines():
            yield latex_name(line.name, line.index, derived=self.derived), self.value(line.value)

    def value(self, node: Node) -> str:
        """One expression."""
        for inner in walk([node]):
            if inner not in self._done:
                arguments = tuple(self._done[a] for a in inner.arguments)
                self._done[inner] = self._table[inner.operation](inner, arguments, self)
        return str(self._done[node])

    def size(self, dim: Dim) -> str:
        """What has sizes that add up to `dim`: names, or arrays by their first axis."""
        if self._sizes is None:
            self._sizes = _sized(self.system)
        if dim in self._sizes:
            return self._axis(self._sizes[dim])
        sizes = [self._sizes.get(Dim.of(n)) for n, count in dim.terms for _ in range(count)]
        unknown = [n for n, count in dim.terms for _ in range(count)]
        pairs = zip(sizes, unknown, strict=True)
        names = [name if size is None else self._axis(size) for size, name in pairs]
        return f"[{', '.join(names)}]" if len(names) > 1 else "".join(names)

    def _axis(self, name: str) -> str:
        """`W.1` as an array whose first axis it is."""
        stem, _, axis = name.partition(".")
        if not axis:
            return name
        if len(self.system.parameters[stem]) == 2:
            return stem + ("ᵀ" if self.style == "unicode" else ".T")
        others = [other for other in "012" if other != axis]
        return f"permute({stem}, {axis}, {', '.join(others)})"

    def _signed(self, value: float) -> str:
        words = plain_number(value)
        return words.replace("-", "−") if self.style == "unicode" and value < 0 else words

    def _declarations(self) -> Iterator[str]:
        system = self.system
        if system.given:
            yield "given " + ", ".join(system.given)
        scalars, vectors = misread(system)
        if scalars:
            yield "scalar " + ", ".join(scalars)
        if vectors:
            yield "vector " + ", ".join(vectors)
        nodes = [line.name for line in system.equations if line.index != "n,k"]
        for names in self.same:
            yield "same " + ", ".join(map(self._axis, names))
        if system.output != nodes[-1]:
            yield f"output {system.output}"


def _comment(line: Equation) -> str:
    words = " ".join(line.comment.split())
    return f"  # {words}" if words else ""


def _sized(system: System) -> dict[Dim, str]:
    """For every size, what has it: a signal, else an axis of a parameter, the first if one is."""
    found: dict[Dim, str] = {}
    for line in system.lines():
        if line.index and line.value.shape:
            found.setdefault(line.value.shape[0], line.name)
    for (name, index), node in system.reads().items():
        if node.shape and index:
            found.setdefault(node.shape[0], name)
    for name, shape in system.parameters.items():
        if shape:
            found.setdefault(shape[0], name)
    for name, shape in system.parameters.items():
        for axis, size in enumerate(shape[1:], 1):
            found.setdefault(size, f"{name}.{axis}")
    return found
