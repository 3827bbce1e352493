"""A labelled tree as SVG: the words on a line, the phrases above them in their classes' colours."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from xml.sax.saxutils import escape

from cellwise.explain.tree_colours import colour
from cellwise.tasks.compose_answers import LabelledTree

ROW = 30.0
"""Pixels from a level of the tree to the next."""

MARGIN = 16.0
HEIGHT = 20.0
"""Of the shape around a label."""

MOST_TOLD = 60
"""Words of a phrase that hovering over it tells."""

_INVALID = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROW, _WIDE = frozenset("iljtfrI.,:;'`|!()[]-"), frozenset("mwMW@%")
_STYLE = (
    "text{font:14px Helvetica,Arial,sans-serif;fill:#222;text-anchor:middle}"
    ".label{font-size:12px;font-weight:bold;fill:#fff}"
    ".edge{fill:none;stroke:#b5b5b5;stroke-width:1.5}"
)


@dataclass(frozen=True)
class Layout:
    """Where the nodes of a tree are drawn, and the size of the whole; in pixels."""

    x: list[float]
    y: list[float]
    width: float
    height: float


def tree_svg(labelled: LabelledTree) -> str:
    """The text of an SVG file; hovering over a node tells phrase, class and probability."""
    at = layout(labelled)
    sentence = _text(" ".join(labelled.tree.sentence()))
    size = f"{at.width:.0f} {at.height:.0f}"
    width, height = size.split()
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {size}" role="img">',
            f"<title>{sentence}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *_edges(labelled, at),
            *_nodes(labelled, at),
            "</svg>\n",
        ]
    )


def layout(labelled: LabelledTree) -> Layout:
    """Words from left to right, as wide as they are; a phrase above the middle of its parts."""
    tree = labelled.tree
    x, level = [0.0] * len(tree), [0] * len(tree)
    edge = MARGIN
    for node, word in enumerate(tree.words):
        if word is not None:
            slot = max(text_width(word), _label_width(tree.labels[node])) + 12
            x[node] = edge + slot / 2
            edge += slot
    children = tree.children()
    for node in range(len(tree) - 1, -1, -1):
        if children[node]:
            x[node] = (x[children[node][0]] + x[children[node][-1]]) / 2
            level[node] = 1 + max(level[child] for child in children[node])
    top = MARGIN + HEIGHT / 2
    right = max(x[n] + _label_width(tree.labels[n]) / 2 for n in range(len(tree)))
    return Layout(
        x,
        [top + (level[0] - here) * ROW for here in level],
        max(edge, right) + MARGIN,
        top + level[0] * ROW + HEIGHT + 18 + MARGIN / 2,
    )


def text_width(text: str, size: float = 14.0) -> float:
    """About how many pixels wide a text is."""
    return size * sum(_em(character) for character in text)


def _em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in _NARROW:
        return 0.36
    return 0.9 if character in _WIDE else 0.7 if character.isupper() else 0.57


def _label_width(label: str) -> float:
    return max(HEIGHT, text_width(label, 12) + 12)


def _edges(labelled: LabelledTree, at: Layout) -> list[str]:
    """From each node to its parent: straight up, then round the corner. They never cross."""
    lines = []
    for node, parent in enumerate(labelled.tree.parents[1:], start=1):
        x, y, px, py = at.x[node], at.y[node], at.x[parent], at.y[parent]
        bend = min(8.0, abs(px - x))
        turn = x + bend if px > x else x - bend
        lines.append(
            f'<path class="edge" d="M{x:.1f} {y:.1f}V{py + bend:.1f}'
            f'Q{x:.1f} {py:.1f} {turn:.1f} {py:.1f}H{px:.1f}"/>'
        )
    return lines


def _nodes(labelled: LabelledTree, at: Layout) -> list[str]:
    tree, words = labelled.tree, labelled.tree.sentence()
    found = []
    for node, (first, last) in enumerate(labelled.spans()):
        label, shade = tree.labels[node], colour(tree.labels[node], labelled.scale)
        phrase = " ".join(words[first : last + 1][:MOST_TOLD])
        phrase += " …" * (last - first >= MOST_TOLD)
        told = f"{phrase}: {label}{_sure(labelled, node)}" if label else phrase
        shape = _shape(label, at.x[node], at.y[node], shade)
        found.append(f"<g><title>{_text(told)}</title>{shape}{_word(labelled, at, node)}</g>")
    return found


def _sure(labelled: LabelledTree, node: int) -> str:
    """The probability of a node's class, where probabilities are known."""
    return f", {labelled.probabilities[node]:.0%}" if labelled.probabilities else ""


def _shape(label: str, x: float, y: float, shade: str) -> str:
    if not label:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{shade}"/>'
    width = _label_width(label)
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y - HEIGHT / 2:.1f}" width="{width:.1f}" '
        f'height="{HEIGHT:.0f}" rx="{HEIGHT / 2:.0f}" fill="{shade}"/>'
        f'<text class="label" x="{x:.1f}" y="{y + 4.3:.1f}">{_text(label)}</text>'
    )


def _word(labelled: LabelledTree, at: Layout, node: int) -> str:
    word = labelled.tree.words[node]
    if word is None:
        return ""
    return f'<text x="{at.x[node]:.1f}" y="{at.y[node] + 28:.1f}">{_text(word)}</text>'


def _text(text: str) -> str:
    return escape(_INVALID.sub("\ufffd", text))
