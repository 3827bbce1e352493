"""What `classify` says of a text: its class, or its labels, with probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cellwise.tasks.base import Answer


@dataclass(frozen=True)
class Labelling:
    """Reads labels off logits.

    Attributes:
        names: the labels, in the order of the logits.
        threshold: where texts may have several labels, the least probability of one that is given;
            None: a text has one, the most probable.
    """

    names: tuple[str, ...]
    threshold: float | None = None

    def blank(self) -> Answer:
        """The answer to a blank line, with the keys of every other one."""
        none: dict[str, Any] = {"label": None, "probability": None}
        label = none if self.threshold is None else {"labels": []}
        return Answer("", {"text": "", **label, "probabilities": {}})

    def probabilities(self, logits: Tensor) -> Tensor:
        """The probabilities of the labels, `[B, C]`: those of a text sum to 1 where it has one."""
        return logits.softmax(-1) if self.threshold is None else logits.sigmoid()

    def given(self, logits: Tensor) -> list[tuple[str, ...]]:
        """The labels of each text, the most probable first."""
        rows = self.probabilities(logits).tolist()
        return [tuple(name for name, _ in self._chosen(row)) for row in rows]

    def answers(
        self,
        texts: Sequence[str],
        logits: Tensor,
        tokens: Sequence[Sequence[str]],
        weights: Tensor | None,
    ) -> Iterator[Answer]:
        """The answer for each text.

        Args:
            texts: the texts.
            logits: `[B, C]`.
            tokens: the symbols of each text, as the model saw them.
            weights: `[T, B]`, what attention reads of each of them, if there is any.
        """
        rows = self.probabilities(logits).tolist()
        read = [None] * len(texts) if weights is None else weights.T.tolist()
        for text, row, cut, seen in zip(texts, rows, tokens, read, strict=True):
            record = self._record(text, row)
            if seen is not None:
                shares = [round(share, 6) for share in seen[: len(cut)]]
                record |= {"tokens": list(cut), "attention": shares}
            told = (f"{name} {value:.3f}" for name, value in self._chosen(row))
            yield Answer("\t".join(told), record)

    def _record(self, text: str, row: Sequence[float]) -> dict[str, Any]:
        of = {name: round(value, 6) for name, value in zip(self.names, row, strict=True)}
        chosen = [name for name, _ in self._chosen(row)]
        if self.threshold is not None:
            return {"text": text, "labels": chosen, "probabilities": of}
        (label,) = chosen
        return {"text": text, "label": label, "probability": of[label], "probabilities": of}

    def _chosen(self, row: Sequence[float]) -> list[tuple[str, float]]:
        """The labels that are given, with their probabilities, the most probable first."""
        pairs = sorted(zip(self.names, row, strict=True), key=lambda pair: -pair[1])
        least = self.threshold
        return pairs[:1] if least is None else [pair for pair in pairs if pair[1] >= least]
