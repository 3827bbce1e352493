"""The parts of captioned images: files of their own, or shares of one file's images."""

from __future__ import annotations

import functools

from cellwise.data.captions import Captioned, read_captions
from cellwise.data.lines import fraction
from cellwise.errors import DataError
from cellwise.tasks.base import Part
from cellwise.tasks.describe_config import DescribeData
from cellwise.tasks.parts import Parts, files_of


def read_captioned(data: DescribeData) -> Parts[list[Captioned]]:
    """The captioned images of each part.

    Shares are exact: the images whose names have the smallest hashes are test, the next ones dev.
    When images come or go, all others keep their part, but for a few at the borders.

    Raises:
        DataError: when a part is asked for: a file cannot be read, or there are too few images for
            the shares.
    """
    shares = functools.cache(lambda: _shares(data))

    def make(part: Part) -> list[Captioned]:
        name = {"train": "", "dev": data.dev, "test": data.test}[part]
        return _all_of(name) if name else shares()[part]

    return Parts(make)


def _shares(data: DescribeData) -> dict[Part, list[Captioned]]:
    """What becomes of the images of train: shares of them are the parts without a file."""
    train = _all_of(data.train)
    n_test = 0 if data.test else round(data.test_share * len(train))
    n_dev = 0 if data.dev else round(data.dev_share * len(train))
    if n_test + n_dev >= len(train) or (not data.dev and not n_dev):
        raise DataError(
            f"{data.train}: {len(train)} images are too few for data.dev_share = {data.dev_share} "
            f"and data.test_share = {data.test_share}; name a file as data.dev"
        )
    order = sorted((item.image for item in train), key=fraction)
    test, dev = set(order[:n_test]), set(order[n_test : n_test + n_dev])
    return {
        "train": [item for item in train if item.image not in test | dev],
        "dev": [item for item in train if item.image in dev],
        "test": [item for item in train if item.image in test],
    }


def _all_of(name: str) -> list[Captioned]:
    """The captioned images of a file, or of all files that a pattern matches; each image once."""
    found: dict[str, Captioned] = {}
    for path in files_of(name):
        for item in read_captions(path):
            before = found.get(item.image)
            captions = item.captions if before is None else (*before.captions, *item.captions)
            found[item.image] = Captioned(item.image, captions)
    return list(found.values())
