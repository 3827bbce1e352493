"""Captions without a recurrent network: one for all images, or those of similar images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sacrebleu import BLEU

from cellwise.data.captions import Captioned
from cellwise.tasks.describe_scores import caption_scores

Vectors = Mapping[str, NDArray[np.float32]]
"""A vector for each image's name."""

Caption = Callable[[Captioned], str]
"""What says something of an image."""

NEIGHBOURS = (1, 5, 15, 30, 60)
"""The numbers of neighbours that are tried on dev."""


def scores(caption: Caption, part: Sequence[Captioned]) -> dict[str, float]:
    """The metrics of `describe` for what is said of each image of a part."""
    references = [item.captions for item in part]
    return caption_scores([caption(item) for item in part], references, lowercase=True)


def most_frequent(train: Sequence[Captioned]) -> Caption:
    """The caption that training has most often, whatever the image."""
    counts = Counter(caption.lower() for item in train for caption in item.captions)
    (best, _), *_ = counts.most_common(1)
    return lambda item: best


def best_for_all(train: Sequence[Captioned], dev: Sequence[Captioned]) -> Caption:
    """The training caption that has the highest BLEU when it is said of every dev image."""
    candidates = sorted({typical(item) for item in train})
    chosen = max(candidates, key=lambda caption: scores(lambda _: caption, dev)["bleu"])
    return lambda item: chosen


def nearest(train: Sequence[Captioned], vectors: Vectors) -> Caption:
    """The typical caption of the nearest training image."""
    return lambda item: typical(neighbours(item, train, vectors, 1)[0])


def agreed(train: Sequence[Captioned], dev: Sequence[Captioned], vectors: Vectors) -> Caption:
    """Of the nearest images' captions the one that is most like the others; dev says how many.

    Source: Devlin et al. 2015, "Exploring nearest neighbor approaches for image captioning"
    (arXiv:1505.04467), with shared words for BLEU as the likeness of captions.
    """

    def of(count: int) -> Caption:
        return lambda item: central(
            [
                caption
                for near in neighbours(item, train, vectors, count)
                for caption in near.captions
            ]
        )

    return max(map(of, NEIGHBOURS), key=lambda caption: scores(caption, dev)["bleu"])


def neighbours(
    item: Captioned, train: Sequence[Captioned], vectors: Vectors, count: int
) -> list[Captioned]:
    """The training images whose vectors have the smallest angles to an image's."""
    matrix = np.stack([vectors[other.image] for other in train])
    matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    order = np.argsort(-(matrix @ vectors[item.image]), kind="stable")
    return [train[place] for place in order[:count]]


def typical(item: Captioned) -> str:
    """The caption of an image that has the highest BLEU against its others."""
    if len(item.captions) == 1:
        return item.captions[0]
    bleu = BLEU(lowercase=True, effective_order=True, force=True)

    def score(place: int) -> float:
        others = [*item.captions[:place], *item.captions[place + 1 :]]
        return float(bleu.sentence_score(item.captions[place], others).score)

    return item.captions[max(range(len(item.captions)), key=score)]


def central(captions: Sequence[str]) -> str:
    """The caption whose words are most like those of others: the highest mean Jaccard index."""
    words = [frozenset(caption.lower().split()) for caption in captions]
    likeness = [sum(len(a & b) / len(a | b) for b in words) for a in words]
    return captions[int(np.argmax(likeness))]


def centred(vectors: Vectors, train: Sequence[Captioned]) -> Vectors:
    """The same vectors with the mean of training's taken off."""
    mean = np.mean([vectors[item.image] for item in train], axis=0)
    return {name: vector - mean for name, vector in vectors.items()}
