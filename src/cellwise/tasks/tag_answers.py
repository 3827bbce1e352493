"""What `tag` says of a sentence: its tokens with their labels, and the spans that these mean."""

from __future__ import annotations

from collections.abc import Sequence

from cellwise.tasks.base import Answer
from cellwise.tasks.spans import Span


def answer(
    tokens: Sequence[str], labels: Sequence[str], spans: Sequence[Span] | None = None
) -> Answer:
    """The answer as `token/LABEL …`; the record lists spans, too, if labels mark any.

    Example:
        >>> answer(["Ada", "wrote"], ["B-PER", "O"], [Span(0, 0, "PER")]).record["spans"]
        [{'first': 0, 'last': 0, 'label': 'PER', 'text': 'Ada'}]
    """
    text = " ".join(f"{token}/{label}" for token, label in zip(tokens, labels, strict=True))
    record = {"tokens": list(tokens), "labels": list(labels)}
    if spans is None:
        return Answer(text, record)
    places = [
        {
            "first": span.first,
            "last": span.last,
            "label": span.kind,
            "text": " ".join(tokens[span.first : span.last + 1]),
        }
        for span in spans
    ]
    return Answer(text, {**record, "spans": places})
