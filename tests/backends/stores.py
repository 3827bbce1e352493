"""What the tests of the cache share: keys, contents, and who may run which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cellwise.backends.cache import Store, key_of
from cellwise.backends.cache_entries import entry_name

KEY, OTHER = key_of("a cell", "avx2"), key_of("a cell", "sse2")
CONTENT = bytes(range(256)) * 5
STRANGER = 65534
posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")
root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can give files away"
)


def kept(store: Store, key: str = KEY, content: bytes = CONTENT) -> Path:
    """The file of an entry that has just been kept."""
    store.keep(key, content)
    assert store.folder is not None
    path = store.folder / entry_name(key)
    assert path.is_file()
    return path
