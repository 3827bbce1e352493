"""Trees as sequences of symbols, and back: `(S (NP XX XX )NP (VP XX )VP )S`.

Source: Vinyals et al. 2015, "Grammar as a foreign language" (arXiv:1412.7449), sections 2.2 and 3:
depth first, closing brackets labelled, every part of speech written as `XX`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cellwise.brackets import Tree
from cellwise.errors import DataError

WORD = "XX"
"""The symbol of a word, whatever its part of speech."""

OPEN, CLOSE = "(", ")"
"""What the symbols of brackets begin with; no label holds either."""

TOPS = ("TOP", "ROOT", "S1", "VROOT")
"""Labels of an outermost bracket that tells nothing; one without a label is gone when read."""


def linearise(tree: Tree) -> tuple[str, ...]:
    """The symbols of a tree; a leaf that stands alone is `XX`.

    >>> from cellwise.brackets import parse
    >>> tree = next(parse(["(S (NP (NNP John)) (VP (VBZ has) (NP (DT a) (NN dog))) (. .))"]))
    >>> " ".join(linearise(tree))
    '(S (NP XX )NP (VP XX (NP XX XX )NP )VP XX )S'
    """
    symbols: list[str] = []
    still_open: list[int] = []
    for node, (label, word, parent) in enumerate(
        zip(tree.labels, tree.words, tree.parents, strict=True)
    ):
        while still_open and still_open[-1] != parent:
            symbols.append(CLOSE + tree.labels[still_open.pop()])
        if word is None:
            symbols.append(OPEN + label)
            still_open.append(node)
        else:
            symbols.append(WORD)
    symbols += [CLOSE + tree.labels[node] for node in reversed(still_open)]
    return tuple(symbols)


def tree_of(symbols: Iterable[str], words: Sequence[str], tags: Sequence[str] = ()) -> Tree:
    """The tree that symbols describe over words: the inverse of `linearise`.

    >>> print(tree_of("(S (NP XX )NP XX )S".split(), ["John", "left"]))
    (S (NP (XX John)) (XX left))

    Args:
        symbols: the symbols.
        words: as many as the symbols have `XX`.
        tags: the parts of speech of the words; none: all are `XX`.

    Raises:
        DataError: the symbols are those of no tree, or not over so many words.
    """
    growing = _Growing(words, tags or (WORD,) * len(words))
    for place, symbol in enumerate(symbols, start=1):
        cause = growing.take(symbol)
        if cause:
            raise DataError(f"symbol {place}, '{symbol}': {cause}")
    if growing.still_open or growing.n_words < len(words) or not growing.labels:
        raise DataError(
            f"the symbols end with {len(growing.still_open)} brackets open "
            f"and {growing.n_words} of {len(words)} words written"
        )
    return Tree(tuple(growing.labels), tuple(growing.words), tuple(growing.parents))


def without_top(tree: Tree) -> tuple[str, Tree]:
    """The label of an outermost bracket that tells nothing, "" if there is none, and what it holds.

    Such a bracket has one of the labels of `TOPS`, one child, and a phrase in it.
    """
    alone = tree.labels[0] in TOPS and tree.parents.count(0) == 1 and tree.words[1] is None
    if not alone:
        return "", tree
    parents = tuple(parent - 1 for parent in tree.parents[1:])
    return tree.labels[0], Tree(tree.labels[1:], tree.words[1:], parents)


def with_top(label: str, tree: Tree) -> Tree:
    """The tree in an outermost bracket: the inverse of `without_top`."""
    if not label:
        return tree
    parents = (-1, *(parent + 1 for parent in tree.parents))
    return Tree((label, *tree.labels), (None, *tree.words), parents)


class _Growing:
    """A tree that grows symbol by symbol."""

    def __init__(self, words: Sequence[str], tags: Sequence[str]):
        self._sentence, self._tags = words, tags
        self.labels: list[str] = []
        self.words: list[str | None] = []
        self.parents: list[int] = []
        self.still_open: list[int] = []
        self.n_words = 0

    def take(self, symbol: str) -> str:
        """Take the next symbol; what is wrong with it, "" if nothing is."""
        if symbol.startswith(CLOSE):
            return self._close(symbol[1:])
        if self.labels and not self.still_open:
            return "the tree is over before it"
        if symbol.startswith(OPEN):
            self.still_open.append(self._add(symbol[1:], None))
            return ""
        if symbol != WORD:
            return f"it is neither a bracket nor '{WORD}'"
        if self.n_words == len(self._sentence):
            return f"the sentence has only {self.n_words} words"
        self._add(self._tags[self.n_words], self._sentence[self.n_words])
        self.n_words += 1
        return ""

    def _add(self, label: str, word: str | None) -> int:
        self.parents.append(self.still_open[-1] if self.still_open else -1)
        self.labels.append(label)
        self.words.append(word)
        return len(self.labels) - 1

    def _close(self, label: str) -> str:
        if not self.still_open:
            return "no bracket is open"
        node = self.still_open.pop()
        if self.labels[node] != label:
            return f"the bracket open here is '{OPEN}{self.labels[node]}'"
        if node == len(self.labels) - 1:
            return "the bracket holds no word"
        return ""
