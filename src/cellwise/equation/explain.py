"""Why two sizes are equal: the places in the text that make them so."""

from __future__ import annotations

from collections import defaultdict

from cellwise.equation.read import read_layout
from cellwise.equation.shapes import Shapes
from cellwise.errors import Span
from cellwise.graph.dimension import Dim
from cellwise.graph.system import System


def why_equal(system: System, first: str, second: str) -> tuple[Span, ...]:
    """The places that together make the sizes of two signals equal, from the first signal on.

    Empty if the system was not read from text, or if no chain of plain equalities joins the two.

    Example:
        >>> from cellwise.equation import read_system
        >>> system = read_system("h[t] = tanh(W @ x[t] + W @ h[t-1])")
        >>> [span.column for span in why_equal(system, "x", "h")]
        [13, 24]
    """
    spans = [line.span for line in system.lines() if line.span is not None]
    if not spans:
        return ()
    edges: dict[str, list[tuple[str, Span]]] = defaultdict(list)
    for tie in Shapes(read_layout(spans[0].text)).ties:
        if _plain(tie.first) and _plain(tie.second):
            one, two = tie.first.names()[0], tie.second.names()[0]
            edges[one].append((two, tie.span))
            edges[two].append((one, tie.span))
    return _way(edges, first, second)


def _plain(dim: Dim) -> bool:
    """Whether a size is one name."""
    return len(dim.terms) == 1 and dim.terms[0][1] == 1


def _way(edges: dict[str, list[tuple[str, Span]]], start: str, goal: str) -> tuple[Span, ...]:
    """The places on a shortest way between two names."""
    ways: dict[str, tuple[Span, ...]] = {start: ()}
    queue = [start]
    for name in queue:
        for other, span in edges[name]:
            if other not in ways:
                ways[other] = (*ways[name], span)
                queue.append(other)
    return ways.get(goal, ())
