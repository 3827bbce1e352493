"""The configuration sections of `language_model`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cellwise.data.symbols import Unit
from cellwise.tasks.base import Section
from cellwise.tasks.fields import CellName, VectorsFile, WeightDropout, WordDropout, Zoneout

SoftmaxKind = Literal["full", "adaptive", "sampled"]


class LanguageModelData(Section):
    """Where the texts come from, and what a symbol of a text is."""

    train: str = Field(
        "train.txt",
        description="training text, UTF-8, gzip if the name ends in .gz; also a "
        "pattern such as data/*.txt",
    )
    dev: str = Field(
        "", description="text that chooses the best checkpoint; empty: from the end of train"
    )
    test: str = Field("", description="text for the final test; empty: the end of train, if any")
    dev_share: float = Field(
        0.05, gt=0, lt=1, description="share of train's characters that is dev when dev is empty"
    )
    test_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of train's characters that is test when test is empty: its last part",
    )
    unit: Unit = Field(
        "words",
        description="what a symbol is: 'words' (between blanks), 'characters', 'tokens' (words and "
        "marks of raw text), 'subwords' (learnt from the training text)",
    )
    lowercase: bool = Field(False, description="read the text in lower case")
    line_ends: bool = Field(
        True, description="the end of a line is a symbol, too; false: lines run on into each other"
    )
    min_count: int = Field(
        1, ge=1, description="symbols that the training text holds less often are unknown ones"
    )
    max_symbols: int = Field(
        0, ge=0, description="only so many of the most frequent symbols are known; 0: all"
    )
    n_subwords: int = Field(8000, ge=1, description="subwords to learn, at most")
    vectors: VectorsFile = ""
    in_memory: bool = Field(
        True,
        description="false: the text's numbers, 4 bytes a symbol, lie in a file of the system's "
        "temporary folder (environment variable TMPDIR) and are mapped into memory",
    )


class LanguageModelModel(Section):
    """Vectors of symbols, recurrent layers, and a distribution over the next symbol."""

    cell: CellName = "lstm"
    embedding_size: int = Field(
        0, ge=0, description="numbers per symbol; 0: as in the file of vectors, else as hidden_size"
    )
    hidden_size: int = Field(200, ge=1, description="hidden size of every layer")
    num_layers: int = Field(2, ge=1, description="recurrent layers")
    window: int = Field(
        35,
        ge=1,
        description="symbols that gradients flow back through; states go on beyond (truncated "
        "back-propagation through time)",
    )
    restart_rate: float = Field(
        0.01,
        ge=0,
        le=1,
        description="in training the share of batches that begin without memory of the one before, "
        "so that the model also learns how texts begin",
    )
    dropout: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="dropout on what each layer and the softmax reads, the same mask at every step",
    )
    embedding_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the symbols whose vectors are zero for a batch"
    )
    word_dropout: WordDropout = 0.0
    zoneout: Zoneout = 0.0
    weight_dropout: WeightDropout = 0.0
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of each right symbol's probability that is spread over all symbols in "
        "training (with softmax 'full')",
    )
    tie_weights: bool = Field(
        False, description="the softmax reads off with the symbols' own vectors (not 'adaptive')"
    )
    tune_vectors: bool = Field(
        True, description="go on learning vectors from a file; false: keep all vectors fixed"
    )
    softmax: SoftmaxKind = Field(
        "full",
        description="'full'; for large vocabularies 'adaptive' (rare symbols in clusters), or "
        "'sampled' (trained against a few symbols drawn for each batch, full in evaluation)",
    )
    n_samples: int = Field(1000, ge=1, description="symbols drawn for a batch, with 'sampled'")
    cutoffs: list[int] = Field(
        [2000, 20000],
        description="symbols at which clusters start, the frequent first, with 'adaptive'; those "
        "beyond the vocabulary are left out",
    )


class LanguageModelDecoding(Section):
    """How texts are scored; how new ones are drawn is said to `cellwise generate`."""

    lanes: int = Field(
        1,
        ge=1,
        description="a text is evaluated in so many pieces side by side; each but the first one "
        "begins without memory, so 1 is exact, and more are faster",
    )
    dynamic_rate: float = Field(
        0.0,
        ge=0,
        le=1,
        description="dynamic evaluation: a copy of the model goes on learning from the text that "
        "it is evaluated on, in steps of this size, each after a piece was scored; 0: never",
    )
    dynamic_window: int = Field(
        20, ge=1, description="symbols of a piece that is scored, then learnt from"
    )
    batch_size: int = Field(64, ge=1, description="lines of a list that are scored together")
