from __future__ import annotations

import os

import pytest

from cellwise.backends import cache_entries
from cellwise.backends.cache import Store
from cellwise.backends.cache_entries import HEADER_BYTES, entry_name
from tests.backends.stores import CONTENT, KEY, OTHER, kept


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


HEADER_PARTS = [0, 1, 8, 11, 12, 75, 76, 83, 84, HEADER_BYTES - 1, HEADER_BYTES]
"""Sizes within and at the end of each field of the header."""


@pytest.mark.parametrize("size", [*HEADER_PARTS, HEADER_BYTES + 1, HEADER_BYTES + 1279])
def test_a_truncated_entry_is_deleted_and_made_again(store, size):
    path = kept(store)
    os.truncate(path, size)
    assert store.fetch(KEY) is None
    assert not path.exists()
    assert store.made(KEY, lambda: b"again") == b"again"
    assert store.fetch(KEY) == b"again"


def test_a_longer_entry_is_damaged_too(store):
    path = kept(store)
    with path.open("ab") as file:
        file.write(b"\0")
    assert store.fetch(KEY) is None
    assert not path.exists()


@pytest.mark.parametrize("place", [*HEADER_PARTS[:-1], HEADER_BYTES, HEADER_BYTES + 700, -1])
def test_a_flipped_bit_is_noticed(store, place):
    path = kept(store)
    written = bytearray(path.read_bytes())
    written[place] ^= 1
    path.write_bytes(written)
    assert store.fetch(KEY) is None
    assert not path.exists()


def test_an_entry_under_another_name_is_not_used(store):
    kept(store).rename(store.folder / entry_name(OTHER))
    assert store.fetch(OTHER) is None


def test_an_entry_of_another_format_is_not_used(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cache_entries, "_VERSION", 2)
        kept(store)
    assert store.fetch(KEY) is None


def test_an_entry_larger_than_the_limit_is_neither_kept_nor_read(store):
    kept(store)
    small = Store(store.folder, limit_bytes=len(CONTENT) - 1)
    small.keep(OTHER, CONTENT)
    assert small.fetch(OTHER) is None
    assert small.fetch(KEY) is None
