"""What a parser may write next, so that what it writes is a tree over exactly the words given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cellwise.data.linearise import CLOSE, OPEN, WORD
from cellwise.data.vocabulary import END, Vocabulary
from cellwise.heads.search import State, Step

NOTHING, A_WORD, AN_OPENING, A_CLOSING = range(4)
"""What a symbol writes; nothing: the end, and symbols that are never written."""

UNWRITTEN, LEFT, CHAIN, DEPTH, STACK = range(5)
"""The columns of a `Book`: words not yet written; symbols still to be had; brackets opened since
the last word or closing; brackets open; and from `STACK` on, the labels of these.
"""


@dataclass(frozen=True)
class Bounds:
    """How far trees may go: brackets open at a time, and opened one after another without a word.

    They bound what a decoder may write, never what a tree that it reads may hold.
    """

    depth: int = 50
    chain: int = 10


class TreeRules:
    """The rules, for the symbols of a vocabulary.

    A symbol is allowed if some tree over exactly the words given goes on with it and fits into the
    symbols that are left. So there is always one: a word, as long as one is unwritten; else what
    closes the bracket opened last; else the end.

    A book is an int64 tensor `[rows, 4 + depth]`: what was written so far, in numbers.
    """

    def __init__(self, symbols: Vocabulary, bounds: Bounds):
        names = (*symbols.specials, *symbols.symbols)
        both = {name[1:] for name in names if name.startswith(OPEN)}
        both &= {name[1:] for name in names if name.startswith(CLOSE)}
        labels = {label: number for number, label in enumerate(sorted(both))}
        self.bounds = bounds
        self.kinds = torch.tensor([_kind(name, both) for name in names])
        self.labels = torch.tensor([labels.get(name[1:], -1) for name in names])

    def first(self, n_words: Tensor, n_symbols: Tensor) -> Tensor:
        """The book of rows where nothing is written.

        Args:
            n_words: int64 `[rows]`, the words of each.
            n_symbols: int64 `[rows]`, the most symbols of each, the end not counted.
        """
        book = n_words.new_zeros((len(n_words), STACK + self.bounds.depth))
        book[:, UNWRITTEN], book[:, LEFT] = n_words, n_symbols
        return book

    def after(self, book: Tensor, last: Tensor) -> Tensor:
        """The book after one more symbol of each row, int64 `[rows]`, that was allowed."""
        kind, label = self.kinds.to(last.device)[last], self.labels.to(last.device)[last]
        opens = kind == AN_OPENING
        depth = book[:, DEPTH] + opens.to(book) - (kind == A_CLOSING).to(book)
        chain = torch.where(opens, book[:, CHAIN] + 1, 0)
        counts = torch.stack(
            [
                book[:, UNWRITTEN] - (kind == A_WORD).to(book),
                book[:, LEFT] - (kind != NOTHING).to(book),
                torch.where(kind == NOTHING, book[:, CHAIN], chain),
                depth,
            ],
            dim=1,
        )
        stack = book[:, STACK:]
        levels = torch.arange(1, stack.shape[1] + 1, device=book.device)
        here = opens[:, None] & (levels == depth[:, None])
        return torch.cat([counts, torch.where(here, label[:, None], stack)], dim=1)

    def allowed(self, book: Tensor) -> Tensor:
        """Whether each symbol may come next: bool `[rows, V]`."""
        unwritten, left, chain, depth = book[:, :STACK].unbind(1)
        kinds, labels = self.kinds.to(book.device), self.labels.to(book.device)
        word = (unwritten > 0) & ((depth > 0) | (unwritten == 1))
        opening = (unwritten > 0) & (depth < self.bounds.depth) & (chain < self.bounds.chain)
        opening &= unwritten + depth + 2 <= left
        closing = (depth > 0) & (chain == 0) & ((depth > 1) | (unwritten == 0))
        end = (unwritten == 0) & (depth == 0)
        # A beam too wide holds impossible hypotheses, too, whose brackets may be any number.
        level = (depth - 1).clamp(0, self.bounds.depth - 1)
        top = book[:, STACK:].gather(1, level[:, None])
        found = word[:, None] & (kinds == A_WORD)
        found |= opening[:, None] & (kinds == AN_OPENING)
        found |= closing[:, None] & (kinds == A_CLOSING) & (labels == top)
        found[:, END] = end
        return found


def fewest_symbols(n_words: Tensor) -> Tensor:
    """How many symbols a row must be let have: the words, and one bracket around them."""
    return n_words + 2


@dataclass(frozen=True)
class TreeWriter:
    """A decoder that writes trees alone; the book is the last part of its state, `[1, rows, ·]`.

    It stands in the place of the decoder that it wraps, in greedy search and with a beam.
    """

    step: Step
    rules: TreeRules

    def __call__(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        *inner, books = state
        log_p, after = self.step(last, tuple(inner))
        book = self.rules.after(books[0], last)
        return log_p.masked_fill(~self.rules.allowed(book), -torch.inf), (*after, book[None])

    def of(self, rows: Tensor) -> Step:
        """The same for some of the rows."""
        return TreeWriter(self.step.of(rows), self.rules)


def _kind(name: str, labels: set[str]) -> int:
    if name == WORD:
        return A_WORD
    if name[1:] not in labels:
        return NOTHING
    return {OPEN: AN_OPENING, CLOSE: A_CLOSING}.get(name[:1], NOTHING)
