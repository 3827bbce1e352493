"""Fields that the configurations of several tasks share: their limits and what they mean."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

NOISE = (
    "context_dropout",
    "dropout",
    "embedding_dropout",
    "label_smoothing",
    "weight_dropout",
    "word_dropout",
    "zoneout",
)
"""Fields of a model that act in training alone: no weight of it has another shape for them."""

CellName = Annotated[
    str,
    Field(
        description="a name from `cellwise cells`, a path to a file of equations, or the equations"
    ),
]

VectorsFile = Annotated[
    str,
    Field(
        description="word vectors to start from: a text file as word2vec and GloVe write it, also "
        ".gz, or a matrix in .safetensors with its words beside it; empty: none"
    ),
]

MoreWords = Annotated[
    int,
    Field(
        ge=0,
        description="so many words from the start of the file of vectors are known, too, although "
        "the training data does not hold them",
    ),
]

InMemory = Annotated[
    bool,
    Field(
        description="false: train may be larger than memory, and its examples lie in a temporary "
        "file",
    ),
]

Zoneout = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="in training a unit of a state keeps its value of the step before with this "
        "probability",
    ),
]

WeightDropout = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="share of the recurrent weights that is zero for a batch, or for a step where "
        "training goes step by step",
    ),
]

WordDropout = Annotated[
    float,
    Field(
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="in training a word seen n times is hidden with probability a / (a + n), where "
        "a is this number, so that the model learns what to do with unknown words; 0: never",
    ),
]
