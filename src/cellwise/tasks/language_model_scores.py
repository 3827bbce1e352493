"""How well a language model foretells texts: whole ones, and single lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from cellwise.data.text_stream import Window, windows_in_lanes
from cellwise.data.vocabulary import PAD, UNKNOWN
from cellwise.losses.perplexity import perplexity
from cellwise.tasks.base import Advance, Answer, device_of
from cellwise.tasks.language_model_config import LanguageModelDecoding
from cellwise.tasks.language_model_dynamic import dynamic_model
from cellwise.tasks.language_model_network import LanguageModel
from cellwise.tasks.language_model_windows import (
    Carried,
    batch_of_lines,
    batch_of_windows,
)

PIECE = 512
"""Symbols that are read at a time where no gradient is wanted."""


def score_windows(
    model: LanguageModel,
    windows: Sequence[Window],
    *,
    decoding: LanguageModelDecoding,
    advance: Advance,
) -> dict[str, float]:
    """Loss per symbol (nats), perplexity, and bits per character, if whole texts are there.

    Args:
        model: in eval mode; stays as it is.
        windows: those that follow one another are read as one text; after a gap the layers begin
            without memory.
        decoding: how many pieces are read side by side, and whether a copy of the model learns
            from each once it is scored.
        advance: told how many windows are done.

    Raises:
        ConfigError: the copy takes steps so large that its loss is no number any more.
    """
    dynamic = dynamic_model(model, decoding)
    if dynamic:
        model = dynamic.model
    pieces = list(_pieces(windows, decoding.dynamic_window if dynamic else PIECE))
    total, done, nats, unknown, told = sum(p.stop - p.start for p in pieces), 0, 0.0, 0, 0
    carried = Carried()
    for places in windows_in_lanes(len(pieces), decoding.lanes):
        batch = batch_of_windows([pieces[i] for i in places]).to(device_of(model))
        right = batch.real(batch.right)
        with torch.set_grad_enabled(dynamic is not None):
            features, last = model(batch.symbols, carried.before(batch), batch.lengths)
            found = model.nats(batch.real(features), right)
        carried.keep(batch, last)
        if dynamic:
            dynamic.learn(found, len(right))
        nats += float(found.detach())
        unknown += int((right == UNKNOWN).sum())
        done += len(right)
        advance(len(windows) * done // total - told)
        told = len(windows) * done // total
    metrics = {"loss": nats / total, "perplexity": perplexity(nats / total)}
    characters = _characters(windows, total)
    if characters:
        metrics["bits_per_character"] = nats / math.log(2) / characters
    return metrics | {"unknown_rate": unknown / total}


def line_scores(model: LanguageModel, rows: Sequence[Sequence[int]]) -> list[list[float]]:
    """The log probability of each symbol of each line."""
    batch = batch_of_lines(rows).to(device_of(model))
    if not batch.symbols.numel():
        return [[] for _ in rows]
    features, _ = model(batch.symbols, None, batch.lengths)
    flat = model.log_probabilities_of(features.flatten(0, 1), batch.right.flatten())
    columns = flat.unflatten(0, batch.right.shape).T.tolist()
    return [column[: len(row)] for column, row in zip(columns, rows, strict=True)]


def line_answer(line: str, symbols: Sequence[str], scores: Sequence[float]) -> Answer:
    """A line with its log probability and its perplexity, which is 1 for no symbols at all."""
    log_probability = sum(scores)
    own = perplexity(-log_probability / max(1, len(scores)))
    record = {
        "text": line,
        "log_probability": log_probability,
        "perplexity": own,
        "symbols": list(symbols),
        "log_probabilities": list(scores),
    }
    return Answer(f"{log_probability:.2f}\t{own:.2f}\t{line}", record)


def line_vectors(model: LanguageModel, rows: Sequence[Sequence[int]]) -> Tensor:
    """The mean of the last layer's outputs over all that is read of each line, `[B, F]`."""
    batch = batch_of_lines([[*row, PAD] for row in rows]).to(device_of(model))
    assert batch.lengths is not None
    outputs, _ = model.layers(model.embedding(batch.symbols), None, batch.lengths)
    mean: Tensor = outputs.sum(0) / batch.lengths[:, None]
    return mean


def _pieces(windows: Sequence[Window], size: int) -> Iterator[Window]:
    """The windows in order, those that touch joined and cut anew into some of that many symbols."""
    ordered = sorted(windows, key=lambda window: (id(window.stream), window.start))
    first = ordered[0]
    stream, start, stop = first.stream, first.start, first.stop
    for window in [*ordered[1:], None]:
        if window is not None and window.stream is stream and window.start == stop:
            stop = window.stop
            continue
        for place in range(start, stop, size):
            yield Window(stream, place, min(place + size, stop))
        if window is not None:
            stream, start, stop = window.stream, window.start, window.stop


def _characters(windows: Sequence[Window], n_symbols: int) -> int:
    """The characters of the windows' texts; 0 if not all symbols of these are there."""
    streams = {id(window.stream): window.stream for window in windows}.values()
    whole = sum(stream.n_symbols for stream in streams) == n_symbols
    return sum(stream.characters for stream in streams) if whole else 0
