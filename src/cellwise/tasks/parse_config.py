"""The configuration sections of `parse`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cellwise.errors import ConfigError
from cellwise.tasks.base import Section
from cellwise.tasks.fields import InMemory, MoreWords, VectorsFile
from cellwise.tasks.transduce_config import TransduceDecoding, TransduceModel


class ParseData(Section):
    """Where the trees come from, and how words are read."""

    train: str = Field(
        "train.mrg",
        description="trees to train on, in the brackets of the Penn Treebank: a file, also .gz, "
        "a .zip or a folder of such files, or a pattern",
    )
    dev: str = Field(
        "", description="trees that choose the best checkpoint; empty: a share of train"
    )
    test: str = Field("", description="trees for the final test; may be empty")
    dev_share: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="share of train that is dev when dev is empty: of the files of an archive or "
        "a folder by a hash of their names, of one file's trees by a hash of the sentence",
    )
    source_unit: Literal["words", "tokens"] = Field(
        "words",
        description="what `predict` takes as a word: 'words' (between blanks) or 'tokens' (words "
        "and marks of raw text)",
    )
    in_memory: InMemory = True
    lowercase: bool = Field(False, description="look words up in lower case")
    min_count: int = Field(
        2,
        ge=1,
        description="words that the training trees hold less often are known by their form alone: "
        "capitals, digits, dashes and ending",
    )
    max_length: int = Field(100, ge=1, description="training sentences of more words are left out")
    vectors: VectorsFile = ""
    more_words: MoreWords = 50_000


class ParseModel(TransduceModel):
    """The encoder of words, the attention and the decoder of brackets."""

    embedding_size: int = Field(
        128,
        ge=0,
        description="numbers per word, and per bracket; 0: as in the file of vectors, or "
        "hidden_size without one",
    )
    encoder_layers: int = Field(2, ge=1, description="bidirectional layers that read the words")
    right_to_left: Literal[False] = Field(
        False, description="trees are written from left to right, as their rules are"
    )
    dropout: float = Field(
        0.3, ge=0, lt=1, description="dropout on every layer's input, the same mask at every step"
    )
    word_dropout: float = Field(
        0.25,
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="in training a word seen n times is replaced by its form with probability "
        "a / (a + n), where a is this number, so that the model learns what forms mean; 0: never",
    )
    share_embeddings: Literal["none", "target"] = Field(
        "none",
        description="one matrix of vectors for several uses: 'none', or 'target' (the decoder's "
        "input and output)",
    )
    next_word: bool = Field(
        True,
        description="the decoder also reads what the encoder saw at the first word that is not "
        "written yet; false: it has learnt attention alone",
    )
    character_embedding_size: int = Field(32, ge=1, description="numbers per character of a word")
    character_hidden_size: int = Field(
        64,
        ge=0,
        description="hidden size of each direction of the layer that reads a word's characters; "
        "0: words are not spelt",
    )


class ParseDecoding(TransduceDecoding):
    """How the best tree is searched: always a tree over exactly the words given."""

    metric: Literal["f1", "f1_40"] = Field(  # type: ignore[assignment] # trees have other metrics
        "f1",
        description="the dev metric that decides which epoch is best: bracket F1 of all sentences, "
        "or of those of up to 40 words",
    )
    length_penalty: float = Field(
        0.0,
        ge=0,
        le=10,
        allow_inf_nan=False,
        description="hypotheses compare by log probability / length ** length_penalty",
    )
    max_length_ratio: float = Field(
        4.0,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="a tree has at most 10 + ratio * words symbols: its words, and two a bracket",
    )
    max_depth: int = Field(50, ge=1, le=1000, description="the most brackets open at a time")
    max_chain: int = Field(
        10, ge=1, le=1000, description="the most brackets opened one after another without a word"
    )


def check_parse(model: ParseModel) -> None:
    """Whether the choices of a model go together.

    Raises:
        ConfigError: they do not; says which.
    """
    against = {
        'attention = "none"': model.attention == "none",
        "input_feeding = true": model.input_feeding,
        f"scheduled_sampling = {model.scheduled_sampling}": model.scheduled_sampling > 0,
    }
    found = [name for name, holds in against.items() if holds]
    if model.next_word and found:
        raise ConfigError(
            f"'model.next_word' is true, which does not go together with model.{found[0]}; "
            "set model.next_word = false"
        )
