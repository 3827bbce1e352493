"""The configuration sections of `describe`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cellwise.data.symbols import Unit
from cellwise.tasks.base import Section
from cellwise.tasks.fields import CellName, VectorsFile, WeightDropout, WordDropout, Zoneout

Channels = tuple[int, ...]


class DescribeData(Section):
    """Where images and captions come from, and what one symbol of a caption is."""

    images: str = Field(
        "images", description="a folder or a zip file of images (JPEG, PNG, whatever Pillow reads)"
    )
    train: str = Field(
        "captions.csv",
        description="captions of training images: CSV with the header image,caption, or image TAB "
        "caption; several lines with the same image are several right captions",
    )
    dev: str = Field(
        "",
        description="captions that choose the best checkpoint; empty: a share of train's images",
    )
    test: str = Field(
        "", description="captions for the final test; empty: a share of train's images"
    )
    dev_share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="share of train's images used as dev when dev is empty, those whose names "
        "have the next smallest hashes after test's",
    )
    test_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of train's images used as test when test is empty, those whose names "
        "have the smallest hashes; 0: no test part",
    )
    features: str = Field(
        "",
        description="for model.encoder = 'features': an .npy file [images, numbers] or "
        "[images, regions, numbers] of floating-point numbers",
    )
    feature_names: str = Field(
        "",
        description="the images' names in the order of the features, one a line; empty: "
        "NAME.names.txt beside NAME.npy",
    )
    unit: Unit = Field(
        "tokens",
        description="one symbol of a caption: 'tokens' (words and marks), 'words' (between "
        "blanks), 'subwords' (learnt pieces of words) or 'characters'",
    )
    n_subwords: int = Field(4000, ge=10, description="how many subwords are learnt at most")
    lowercase: bool = Field(True, description="turn captions into lower case")
    min_count: int = Field(
        1, ge=1, description="symbols that training captions hold less often become <unknown>"
    )
    max_length: int = Field(
        40, ge=1, description="training captions with more symbols are left out"
    )
    vectors: VectorsFile = ""


class DescribeModel(Section):
    """The encoder of images, the attention and the decoder."""

    cell: CellName = "lstm"
    encoder: str = Field(
        "cnn",
        description="what makes vectors of images' regions: 'cnn' (a small convolutional network "
        "trained along), 'features' (data.features), or a network of torchvision, such as "
        "'resnet18', where that is installed",
    )
    encoder_weights: str = Field(
        "",
        description="a .safetensors file of weights for a network of torchvision; empty: random "
        "ones, nothing is downloaded",
    )
    tune_encoder: bool = Field(
        False,
        description="learning goes on in a network of torchvision; else its features are computed "
        "once for each image, and images are not varied",
    )
    image_size: int = Field(
        96, ge=16, le=1024, description="pixels of a side that images are scaled to"
    )
    channels: Channels = Field(
        (32, 64, 128, 256),
        min_length=1,
        max_length=6,
        description="channels of each block of 'cnn'; every block halves the sides, so that 4 "
        "blocks make 6 by 6 regions of 96 pixels",
    )
    augment: bool = Field(
        True, description="training sees parts of 75 to 100 % of an image's sides, half mirrored"
    )
    start: Literal["input", "state"] = Field(
        "input",
        description="how the decoder gets to know the image: the mean region as its first 'input' "
        "(any cell), or as its first 'state', tanh(W @ mean + b)",
    )
    attention: Literal["none", "multiplicative", "additive"] = Field(
        "multiplicative",
        description="how the decoder scores regions: 'multiplicative' (q @ W @ k, fast), "
        "'additive' (v @ tanh(W @ q + U @ k)), or 'none'",
    )
    input_feeding: bool = Field(
        False,
        description="the decoder also reads what attention made of the step before; trains step by "
        "step, which takes about twice as long",
    )
    embedding_size: int = Field(
        0, ge=0, description="numbers per symbol; 0: as data.vectors has, else 128"
    )
    share_embeddings: bool = Field(
        False, description="one matrix of vectors for the symbols that are read and written"
    )
    hidden_size: int = Field(256, ge=1, description="hidden size of each layer")
    num_layers: int = Field(1, ge=1, description="layers of the decoder")
    dropout: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="dropout on regions, symbols and outputs, the same mask at every step",
    )
    zoneout: Zoneout = 0.0
    weight_dropout: WeightDropout = 0.0
    word_dropout: WordDropout = 0.0
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of each right symbol's probability that training spreads over all",
    )


class DescribeDecoding(Section):
    """How the best caption is searched."""

    beam_size: int = Field(
        5, ge=1, description="hypotheses kept for each image; 1 is greedy search"
    )
    length_penalty: float = Field(
        1.0,
        ge=0,
        le=10,
        allow_inf_nan=False,
        description="hypotheses compare by log probability / length ** length_penalty",
    )
    max_length: int = Field(40, ge=1, description="a caption has at most so many symbols")
    metric: Literal["bleu", "loss"] = Field(
        "bleu",
        description="the dev metric that decides which epoch is best; BLEU of few images is noisy",
    )
    attention: bool = Field(
        False, description="also tell how much each symbol looked at each region"
    )
    batch_size: int = Field(32, ge=1, description="images of a list that are answered together")
