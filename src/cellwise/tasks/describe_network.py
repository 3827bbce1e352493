"""The model of `describe`: regions of an image, and a decoder with attention over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import Vocabulary
from cellwise.heads.search import State
from cellwise.tasks.attentive_decoder import AttentiveDecoder, Reading
from cellwise.tasks.describe_config import DescribeModel
from cellwise.tasks.describe_regions import Regions
from cellwise.tasks.transduce_config import TransduceModel
from cellwise.tasks.word_hiding import hide, hiding


@dataclass(frozen=True)
class Captions:
    """Captions as a decoder reads and writes them.

    Attributes:
        rows: int64 `[C]`, of which image each caption is.
        before: int64 `[T, C]`, the captions after a start mark.
        after: int64 `[T, C]`, the captions before an end mark.
        lengths: int64 `[C]`, how many symbols of either count.
    """

    rows: Tensor
    before: Tensor
    after: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> Captions:
        """The same captions on a device."""
        return Captions(*(getattr(self, field.name).to(device) for field in fields(self)))


class Describer(AttentiveDecoder):
    """Captions of images, from any encoder of images and with any cell.

    The mean of an image's regions is the decoder's first input, or makes its first state;
    `AttentiveDecoder` says how it goes on.

    Args:
        config: the [model] table.
        regions: makes the vectors of images' regions.
        words: the vocabulary of captions.
        embedding_size: the numbers of a symbol.

    Source: Vinyals et al. 2015 (arXiv:1411.4555), equations 10 to 12, for the first input; Xu et
    al. 2015 (arXiv:1502.03044), section 3.1.2, for the first state and attention over regions, with
    a tanh layer in the place of a multi-layer perceptron.
    """

    hiding: Tensor

    def __init__(
        self, config: DescribeModel, regions: Regions, words: Vocabulary, *, embedding_size: int
    ):
        super().__init__()
        self.regions = regions
        self.add_embeddings(_of_decoder(config, embedding_size), len(words))
        self.register_buffer("hiding", hiding(words, config.word_dropout), persistent=False)
        self.add_decoder()
        self.first = self._first(as_input=config.start == "input")
        self.add_output(regions.size)

    def see(self, images: Tensor, names: Sequence[str] = ()) -> Reading:
        """What the decoder is to know of images, as `Regions` takes them."""
        seen = self.dropout(self.regions(images, names))
        lengths = torch.full((seen.shape[1],), len(seen), device=seen.device)
        return self.reading(seen, lengths, self._start(seen.mean(dim=0)))

    def forward(self, images: Tensor, names: Sequence[str], captions: Captions) -> Tensor:
        """The logits `[T, C, V]` of what follows each symbol of captions.

        Args:
            images: as `Regions` takes them, each once.
            names: of the images; may be empty.
            captions: of these images.
        """
        reading = self.see(images, names).of(captions.rows)
        return self.logits(reading, captions.before, captions.lengths)

    def caption_nats(self, reading: Reading, captions: Captions) -> Tensor:
        """The summed loss of captions of images that were seen, their end marks included."""
        known, before = reading.of(captions.rows), captions.before
        read = hide(before, self.hiding) if self.training else before
        return self.nats(known, read, captions.after, captions.lengths)

    def _first(self, *, as_input: bool) -> nn.Linear | nn.ModuleList:
        """What makes the first input, or the first states of all layers, of a mean region."""
        size, layers = self.regions.size, self.config.decoder_layers
        if as_input:
            return nn.Linear(size, self.target.embedding_dim)
        return nn.ModuleList([nn.Linear(size, layers * own) for own in self.state_sizes])

    def _start(self, mean: Tensor) -> State:
        """The layers' states when they know the mean regions, `[B, F]`."""
        if isinstance(self.first, nn.Linear):
            x = self.first(mean)[None]
            if self.config.input_feeding:
                x = torch.cat([x, x.new_zeros(*x.shape[:2], self.joined_size)], dim=2)
            return tuple(self.decoder(x)[1])
        layers = self.config.decoder_layers
        return tuple(
            torch.tanh(layer(mean)).unflatten(1, (layers, -1)).transpose(0, 1).contiguous()
            for layer in self.first
        )


def _of_decoder(config: DescribeModel, embedding_size: int) -> TransduceModel:
    """The same configuration in the terms of the decoder that tasks share."""
    return TransduceModel(
        cell=config.cell,
        embedding_size=embedding_size,
        share_embeddings="target" if config.share_embeddings else "none",
        hidden_size=config.hidden_size,
        decoder_layers=config.num_layers,
        attention=config.attention,
        input_feeding=config.input_feeding,
        dropout=config.dropout,
        zoneout=config.zoneout,
        weight_dropout=config.weight_dropout,
        label_smoothing=config.label_smoothing,
    )
