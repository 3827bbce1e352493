"""What `parse` says of a sentence: the tree over its words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cellwise.brackets import Tree
from cellwise.data.linearise import tree_of, with_top
from cellwise.tasks.compose_answers import LabelledTree, Scale, TreeAnswer


def parse_answer(
    text: str, words: Sequence[str], symbols: Sequence[str], *, log_probability: float, top: str
) -> TreeAnswer:
    """The answer for a sentence.

    Args:
        text: the line of input.
        words: its words.
        symbols: what the search found; none for a line without words, or a model that knows no
            probabilities.
        log_probability: of the symbols.
        top: the label of the outermost bracket that the treebank puts around all trees, or "".
    """
    record: dict[str, Any] = {"source": text, "words": list(words), "tree": "", "phrases": []}
    record["log_probability"] = log_probability if math.isfinite(log_probability) else None
    if not symbols:
        return TreeAnswer("", record)
    tree = tree_of(symbols, words)
    shown = LabelledTree(_without_tags(tree), (), Scale(tuple(sorted(set(tree.labels)))))
    record |= {"tree": str(with_top(top, tree)), "phrases": _phrases(shown)}
    return TreeAnswer(record["tree"], record, shown)


def _without_tags(tree: Tree) -> Tree:
    """The tree with nothing for the parts of speech, which nobody knows."""
    labels = (
        label if word is None else "" for label, word in zip(tree.labels, tree.words, strict=True)
    )
    return Tree(tuple(labels), tree.words, tree.parents)


def _phrases(labelled: LabelledTree) -> list[dict[str, Any]]:
    """The phrases as JSON values; places of words are counted from 0."""
    rows = zip(labelled.tree.labels, labelled.spans(), strict=True)
    return [
        {"first": first, "last": last, "label": label} for label, (first, last) in rows if label
    ]
