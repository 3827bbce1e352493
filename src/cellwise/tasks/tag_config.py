"""The configuration sections of `tag`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cellwise.tasks.base import Section

Format = Literal["conllu", "columns"]
Column = Literal["upos", "xpos", "feats", "deprel", "lemma"]


class TagData(Section):
    """Where the tagged sentences come from."""

    format: Format = Field(
        "conllu",
        description="'conllu' (Universal Dependencies), or 'columns': token TAB label, a blank "
        "line between sentences",
    )
    column: Column = Field("upos", description="the CoNLL-U column that holds the label")
    train: str = Field(
        "train.conllu", description="training sentences, UTF-8, gzip if the name ends in .gz"
    )
    dev: str = Field(
        "",
        description="sentences that choose the best checkpoint; empty: a share of train",
    )
    test: str = Field("", description="sentences for the final test; may be empty")
    dev_share: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="share of train that is dev when dev is empty, by a hash of the sentence",
    )
    lowercase: bool = Field(
        True, description="look words up in lower case; the characters always keep their case"
    )
    min_count: int = Field(
        1, ge=1, description="words that the training data holds less often are unknown words"
    )


class TagModel(Section):
    """Word vectors, characters folded to vectors, and the layers over the sentence."""

    cell: str = Field(
        "lstm",
        description="a name from `cellwise cells`, a path to a file of equations, or the equations",
    )
    word_embedding_size: int = Field(100, ge=1, description="numbers per word")
    character_embedding_size: int = Field(32, ge=1, description="numbers per character")
    character_hidden_size: int = Field(
        64, ge=1, description="hidden size of each direction over the characters of a word"
    )
    hidden_size: int = Field(
        128, ge=1, description="hidden size of each direction over the sentence"
    )
    num_layers: int = Field(1, ge=1, description="bidirectional layers over the sentence")
    dropout: float = Field(
        0.33, ge=0, lt=1, description="dropout on every layer's input, the same mask at every step"
    )
    word_dropout: float = Field(
        0.25,
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="in training a word seen n times is hidden with probability a / (a + n), where "
        "a is this number, so that the model learns what to do with unknown words",
    )


class TagDecoding(Section):
    """How sentences are tagged."""

    batch_size: int = Field(64, ge=1, description="sentences of a list that are tagged together")
