"""The configuration sections of `tag`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from cellwise.tasks.base import Section
from cellwise.tasks.fields import (
    CellName,
    InMemory,
    MoreWords,
    VectorsFile,
    WeightDropout,
    WordDropout,
    Zoneout,
)

Format = Literal["conllu", "columns"]
Column = Literal["upos", "xpos", "feats", "deprel", "lemma"]
SchemeName = Literal["none", "bio", "iobes"]
Head = Literal["softmax", "crf"]


class TagData(Section):
    """Where the tagged sentences come from, and what their labels mean."""

    format: Format = Field(
        "conllu",
        description="'conllu' (Universal Dependencies), or 'columns': token TAB label, a blank "
        "line between sentences",
    )
    column: Column = Field("upos", description="the CoNLL-U column that holds the label")
    scheme: SchemeName = Field(
        "none",
        description="'bio' or 'iobes': labels such as B-PER mark spans, which the model learns in "
        "this scheme; files may be in either, answers are in BIO, and the best checkpoint is that "
        "with the highest F1 of spans",
    )
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
    in_memory: InMemory = True
    lowercase: bool = Field(
        True, description="look words up in lower case; the characters always keep their case"
    )
    min_count: int = Field(
        1, ge=1, description="words that the training data holds less often are unknown words"
    )
    vectors: VectorsFile = ""
    more_words: MoreWords = 50_000


class TagModel(Section):
    """Word vectors, characters folded to vectors, the layers over the sentence, and the head."""

    cell: CellName = "lstm"
    head: Head = Field(
        "softmax",
        description="'softmax': each label for itself; 'crf': the most probable sequence of "
        "labels, well-formed where data.scheme says what that is",
    )
    word_embedding_size: int = Field(
        100, ge=0, description="numbers per word; 0: as in the file of vectors"
    )
    tune_vectors: bool = Field(
        True, description="go on learning vectors from a file; false: keep all word vectors fixed"
    )
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
    zoneout: Zoneout = 0.0
    weight_dropout: WeightDropout = 0.0
    word_dropout: WordDropout = 0.25
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="with 'softmax': the share of a label's probability that training spreads over "
        "all labels",
    )

    @field_validator("label_smoothing")
    @classmethod
    def _smooths_what_it_can(cls, value: float, info: ValidationInfo) -> float:
        if value and info.data.get("head") == "crf":
            raise ValueError(
                "0 where model.head is 'crf': there is no distribution of one label to smooth"
            )
        return value


class TagDecoding(Section):
    """How sentences are tagged."""

    batch_size: int = Field(64, ge=1, description="sentences of a list that are tagged together")
    tokenize: bool = Field(
        False,
        description="cut text into words and punctuation marks; false: tokens stand between blanks",
    )
