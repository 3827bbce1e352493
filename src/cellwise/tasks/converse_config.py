"""The configuration sections of `converse`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cellwise.data.symbols import Unit
from cellwise.errors import ConfigError
from cellwise.tasks.base import Section
from cellwise.tasks.fields import InMemory, MoreWords, VectorsFile
from cellwise.tasks.transduce_config import (
    Sharing,
    TransduceDecoding,
    TransduceModel,
)


class ConverseData(Section):
    """Where the dialogues come from, and how much of one is read before an answer."""

    train: str = Field(
        "train.txt",
        description="dialogues to train on, also .gz: a turn a line with a blank line between "
        "dialogues, or a dialogue a line with __eou__ after each turn; .json, .jsonl (lists of "
        "turns), .yml (chatterbot-corpus); a pattern such as data/*.json.gz names many files",
    )
    dev: str = Field(
        "", description="dialogues that choose the best checkpoint; empty: a share of train"
    )
    test: str = Field("", description="dialogues for the final test; may be empty")
    dev_share: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="share of train that is dev when dev is empty, by a hash of the dialogue",
    )
    unit: Unit = Field(
        "tokens",
        description="one symbol of a turn: 'tokens' (words and marks), 'words' (between blanks), "
        "'subwords' or 'characters'",
    )
    n_subwords: int = Field(8000, ge=2, description="pieces of words that are learnt, at most")
    in_memory: InMemory = True
    lowercase: bool = Field(True, description="turn everything into lower case")
    context_turns: int = Field(
        3, ge=1, description="so many turns before an answer are read, at most"
    )
    max_length: int = Field(
        100,
        ge=1,
        description="contexts keep so many of their last words, and answers that are longer are "
        "not learnt",
    )
    min_count: int = Field(
        2, ge=1, description="symbols that the training data holds less often become <unknown>"
    )
    vectors: VectorsFile = ""
    more_words: MoreWords = 0

    @property
    def source_unit(self) -> Unit:
        """What one symbol of a context is."""
        return self.unit

    @property
    def target_unit(self) -> Unit:
        """What one symbol of an answer is."""
        return self.unit


class ConverseModel(TransduceModel):
    """The encoder of the turns before, the attention and the decoder of the answer."""

    share_embeddings: Sharing = Field(
        "all",
        description="one matrix of vectors for several uses: 'none', 'target' (the decoder's input "
        "and output), or 'all' (the context's, too: one vocabulary)",
    )
    embedding_size: int = Field(128, ge=1, description="numbers per symbol that go into the cells")
    context_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of training examples whose context is hidden: what the model then says "
        "is what it would say to anything, which decoding.mutual_information weighs against",
    )


class ConverseDecoding(TransduceDecoding):
    """How an answer is searched."""

    metric: Literal["loss", "bleu"] = Field(
        "loss",
        description="the dev metric that decides which epoch is best: loss is perplexity; BLEU is "
        "of the judged_answers",
    )
    max_answer: int = Field(40, ge=1, description="an answer has at most so many symbols")
    mutual_information: float = Field(
        0.0,
        ge=0,
        le=1,
        description="how much an answer's probability without any context counts against it: "
        "log p(answer | context) - this * log p(answer); it disfavours dull answers (Li et al. "
        "2016), and needs a model that was trained with context_dropout",
    )
    mutual_symbols: int = Field(
        5, ge=0, description="only the first symbols of an answer, so many, are weighed so"
    )
    judged_answers: int = Field(
        200, ge=0, description="so many dev or test contexts are answered to count distinct words"
    )


def check_converse(model: ConverseModel, decoding: ConverseDecoding) -> None:
    """Whether the choices of a configuration go together.

    Raises:
        ConfigError: they do not; says which.
    """
    if decoding.metric == "bleu" and not decoding.judged_answers:
        raise ConfigError(
            "'decoding.metric' is \"bleu\", which needs answers to judge, but "
            "decoding.judged_answers is 0"
        )
    if decoding.mutual_information and model.right_to_left:
        raise ConfigError(
            "'decoding.mutual_information' weighs the first symbols of an answer, but a model "
            "with model.right_to_left = true writes the last ones first: set it to 0"
        )
