"""The configuration sections of `compose`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cellwise.tasks.base import Section
from cellwise.tasks.fields import CellName, InMemory, MoreWords, VectorsFile, WordDropout

Labelled = Literal["nodes", "root"]
Side = Literal["right", "left"]


class ComposeData(Section):
    """Where the trees come from, and what their labels mean."""

    train: str = Field(
        "train.txt",
        description="trees to train on, in brackets with a label at every node: a file, also .gz, "
        "a .zip or a folder of such files",
    )
    dev: str = Field(
        "", description="trees that choose the best checkpoint; empty: a share of train"
    )
    test: str = Field("", description="trees for the final test; may be empty")
    dev_share: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="share of train that is dev when dev is empty, by a hash of the sentence",
    )
    labels: Labelled = Field(
        "nodes", description="whose labels are learnt: 'nodes' (every node's) or 'root'"
    )
    classes: dict[str, str] = Field(
        {},
        description="the class that a label (stripped of its tags, if they are) counts as, where "
        "it is not the label itself; empty: none, the node is neither learnt nor counted",
    )
    negative: list[str] = Field(
        ["0", "1"], description="the negative classes, the strongest first: for binary accuracy"
    )
    positive: list[str] = Field(
        ["3", "4"],
        description="the positive classes, the strongest last; if none occurs, nothing "
        "is told of binary accuracy",
    )
    strip_tags: bool = Field(
        False, description="strip function tags and indices of labels: NP-SBJ-1 becomes NP"
    )
    branching: Side = Field(
        "right",
        description="where wide nodes become binary, for cells that read left and right",
    )
    in_memory: InMemory = True
    lowercase: bool = Field(True, description="look words up in lower case")
    min_count: int = Field(
        1, ge=1, description="words that the training data holds less often are unknown words"
    )
    vectors: VectorsFile = ""
    more_words: MoreWords = 50_000


class ComposeModel(Section):
    """Word vectors at the leaves, a cell over the tree, and a softmax at the nodes."""

    cell: CellName = "tree_lstm_binary"
    hidden_size: int = Field(150, ge=1, description="numbers per node")
    embedding_size: int = Field(
        0, ge=0, description="numbers per word; 0: as in the file of vectors, else as hidden_size"
    )
    embedding_range: float = Field(
        0.05,
        gt=0,
        allow_inf_nan=False,
        description="word vectors that are learnt start uniform between plus and minus this",
    )
    tune_vectors: bool = Field(
        True, description="go on learning vectors from a file; false: keep all word vectors fixed"
    )
    embedding_dropout: float = Field(0.2, ge=0, lt=1, description="dropout on word vectors")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout before the softmax")
    word_dropout: WordDropout = 0.25
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of a right class's probability spread over all"
    )


class ComposeDecoding(Section):
    """How trees are labelled."""

    batch_size: int = Field(64, ge=1, description="trees of a list that are labelled together")
