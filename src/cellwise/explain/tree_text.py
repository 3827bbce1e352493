"""A labelled tree for a terminal: a phrase a line, in the colour of its class."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from cellwise.explain.tree_colours import NEGATIVE, POSITIVE, colour
from cellwise.tasks.compose_answers import LabelledTree

_BRIGHTER = {shades[0]: f"bold {shades[1]}" for shades in (NEGATIVE, POSITIVE)}
"""Styles of phrases in the strongest colours, which are too dark for text on a black ground."""


def tree_lines(labelled: LabelledTree, width: int) -> Iterator[Text]:
    """The phrases of a tree, each below the one that holds it.

    Args:
        labelled: the tree.
        width: characters of a line; longer phrases end in an ellipsis, and where a tree is too deep
            for guides the lower part stands without.
    """
    tree, words = labelled.tree, labelled.tree.sentence()
    last_children = {children[-1] for children in tree.children() if children}
    badge = max(map(len, tree.labels))
    guides = [""]
    for node, (first, last) in enumerate(labelled.spans()):
        guide = ""
        if node:
            above = guides[tree.parents[node]]
            is_last = node in last_children
            guide = above + ("└ " if is_last else "├ ")
            guides.append((above + ("  " if is_last else "│ "))[:width])
        shade = colour(tree.labels[node], labelled.scale)
        line = Text()
        line.append(guide if len(guide) <= width // 2 else f"{guide[: width // 2 - 2]}… ", "dim")
        line.append(f" {tree.labels[node] or '·':^{badge}} ", f"bold #ffffff on {shade}")
        seen = words[first : min(last + 1, first + width)]
        line.append(f" {' '.join(seen)}", _BRIGHTER.get(shade, shade))
        line.truncate(width, overflow="ellipsis")
        yield line
