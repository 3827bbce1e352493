"""The model of `compose`: word vectors at the leaves, a cell over the tree, a softmax at nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.heads.locked_dropout import LockedDropout
from cellwise.heads.softmax import Softmax
from cellwise.layers import Recursive
from cellwise.layers.recursion import Recursion
from cellwise.structures.forest import Forest
from cellwise.tasks.compose_config import ComposeModel
from cellwise.tasks.word_hiding import hide, hiding


@dataclass(frozen=True)
class Phrases:
    """Trees as a forest, and the numbers of the words at its leaves, `[leaves]`."""

    forest: Forest
    words: Tensor

    def to(self, device: torch.device) -> Phrases:
        """The same trees, their words on a device."""
        return Phrases(self.forest, self.words.to(device))


class TreeClassifier(nn.Module):
    """A class for every node of a tree.

    Nodes with children have no word: a cell that reads an input there finds zeros.

    Source: Socher et al. 2013, Recursive deep models for semantic compositionality over a sentiment
    treebank, section 4; Tai, Socher and Manning 2015 (arXiv:1503.00075), section 4.1, with dropout
    on the word vectors besides. The hiding of words after Kiperwasser and Goldberg 2016.
    """

    def __init__(
        self, config: ComposeModel, words: Vocabulary, n_classes: int, *, embedding_size: int
    ):
        super().__init__()
        self.words = nn.Embedding(len(words), embedding_size, padding_idx=PAD)
        nn.init.uniform_(self.words.weight, -config.embedding_range, config.embedding_range)
        self.words.weight.requires_grad_(config.tune_vectors)
        self.hiding: Tensor
        self.register_buffer("hiding", hiding(words, config.word_dropout), persistent=False)
        self.embedding_dropout = LockedDropout(config.embedding_dropout)
        self.recursive = Recursive(config.cell, embedding_size, config.hidden_size)
        self.dropout = LockedDropout(config.dropout)
        self.head = Softmax(config.hidden_size, n_classes)

    def forward(self, batch: Phrases) -> Tensor:
        """The logits of the classes at every node, `[N, C]`."""
        return cast(Tensor, self.head(_dropped(self.dropout, self.encode(batch))))

    def encode(self, batch: Phrases) -> Tensor:
        """The vectors of all nodes, `[N, H]`."""
        words = hide(batch.words, self.hiding) if self.training else batch.words
        x = _dropped(self.embedding_dropout, self.words(words))
        return cast(Tensor, self.recursive(self._placed(x, batch.forest), batch.forest)[0])

    def _placed(self, x: Tensor, forest: Forest) -> Tensor:
        """The input of all nodes, or of leaves alone where the cell asks for no more."""
        if cast(Recursion, self.recursive.layer0).only_leaves_read:
            return x
        leaves = torch.tensor(forest.leaves, device=x.device)
        return x.new_zeros(forest.n_nodes, x.shape[1]).index_copy(0, leaves, x)


def _dropped(dropout: LockedDropout, rows: Tensor) -> Tensor:
    """Dropout with a mask for each row: all nodes are one step."""
    return cast(Tensor, dropout(rows[None])[0])
