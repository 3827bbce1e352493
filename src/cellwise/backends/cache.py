"""Compiled objects on disk, so that a program is compiled once and not once a process.

    store = user_store()
    image = store.made(key_of(program, version, target), lambda: assemble(...))

An entry is one file: a header, which names the key and the content's length and SHA-256, and the
content. Machine code is run from here, so an entry is used only if it is whole and nobody else can
have written it:

- *Whole*: an entry whose header or checksum is wrong is deleted and made again. Files appear in one
  step (written beside, then renamed), so several processes can use a folder at once; of two
  writers, either wins.
- *Nobody else*: the folder and the file must be ours alone (see private_folder.py). Else they count
  as absent; such a folder is left as it is, and such a file until an entry of its name is kept.
  There is no signature beyond that. Its secret would lie in a file of ours, and whoever can write
  an entry as us can read that file as well: it would hold back nobody whom the owner and the mode
  do not hold back already.

The cache is a convenience: where it cannot be used (a full disk, a read-only folder, a folder of
someone else) the program goes on without it and says nothing; `cellwise cache info` says why.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from cellwise.backends.cache_entries import (
    SUFFIX,
    DamagedError,
    Entry,
    entry_name,
    our_files,
    pack,
    read_entry,
)
from cellwise.backends.private_folder import PARTIAL, PrivateFolder, opened

VARIABLE = "CELLWISE_CACHE"
"""The environment variable with the folder to use; empty or `off`: no cache on disk."""

LIMIT_BYTES = 512_000_000
"""What the entries may take together, before the least recently used ones go."""

FORGOTTEN_S = 3600.0
"""After so long nobody writes to a partial file any more."""


def key_of(*parts: str | bytes) -> str:
    """A name for what is made of these parts: equal only if all of them are, one by one.

    Example:
        >>> key_of("ab", "c") == key_of("a", "bc")
        False
        >>> len(key_of("program", b"avx2"))
        64
    """
    found = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        found.update(len(content).to_bytes(8, "little") + content)
    return found.hexdigest()


def cache_folder() -> tuple[Path | None, str]:
    """The folder of this user's cache; or None, and why there is none."""
    chosen = os.environ.get(VARIABLE)
    if chosen is not None and chosen.lower() in ("", "off"):
        return None, f"it is off: {VARIABLE} is '{chosen}'"
    try:
        return (Path(chosen).expanduser() if chosen else _usual_folder()).absolute(), ""
    except (OSError, RuntimeError) as error:  # no home folder, or no current one
        return None, f"no folder can be found for it: {error}"


def _usual_folder() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData" / "Local"
        return base / "cellwise" / "cache"
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the specification of XDG says to ignore those
        base = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return base / "cellwise"


def user_store() -> Store:
    """The store in this user's folder, as the environment names it now."""
    return _store(*cache_folder())


@cache
def _store(folder: Path | None, reason: str) -> Store:
    return Store(folder, reason=reason)


class Store:
    """Compiled objects in a folder, by key. Safe to use from several processes and threads.

    Args:
        folder: where they are; made when the first is kept. None: nothing is kept.
        limit_bytes: what they may take together. Looked at now and then, so that each process may
            exceed it by a sixteenth.
        reason: why there is no folder, for people.
    """

    def __init__(
        self, folder: Path | None, *, limit_bytes: int = LIMIT_BYTES, reason: str = "it is off"
    ):
        self.folder, self.limit_bytes, self.reason = folder, limit_bytes, reason
        self._unseen_bytes = limit_bytes  # kept since the last look at the whole: none yet

    def fetch(self, key: str) -> bytes | None:
        """What was kept under a key; None if nothing was, or nothing that can be trusted."""
        name = entry_name(key)
        if self.folder is None:
            return None
        try:
            with opened(self.folder) as folder:
                return self._fetch(folder, name)
        except OSError:
            return None

    def _fetch(self, folder: PrivateFolder, name: str) -> bytes | None:
        try:
            content = read_entry(folder, name, most_bytes=self.limit_bytes)
        except DamagedError:
            folder.discard(name)
            return None
        folder.touch(name)
        return content

    def keep(self, key: str, content: bytes) -> None:
        """Keep content under a key, if that can be done; what was there before is replaced."""
        name = entry_name(key)
        if self.folder is None or len(content) > self.limit_bytes:
            return
        try:
            with opened(self.folder, make=True) as folder:
                folder.write(name, pack(content, key))
        except OSError:
            return
        self._unseen_bytes += len(content)
        if self._unseen_bytes > self.limit_bytes // 16:
            self._unseen_bytes = 0
            self.trim()

    def made(self, key: str, make: Callable[[], bytes]) -> bytes:
        """What was kept under a key, else what `make` makes, which is kept then."""
        found = self.fetch(key)
        if found is None:
            found = make()
            self.keep(key, found)
        return found

    def trim(self) -> None:
        """Remove partial files that were left behind, and the least recently used entries.

        The latter only if all take more than `limit_bytes`, and then down to seven eighths of it.
        """
        if self.folder is None:
            return
        try:
            with opened(self.folder) as folder:
                files = list(our_files(folder))
                _discard_forgotten(folder, files)
                self._discard_least_used(folder, files)
        except OSError:
            return

    def _discard_least_used(self, folder: PrivateFolder, files: Sequence[Entry]) -> None:
        entries = [file for file in files if file.name.endswith(SUFFIX)]
        n_bytes = sum(entry.n_bytes for entry in entries)
        if n_bytes <= self.limit_bytes:
            return
        for entry in sorted(entries, key=lambda entry: entry.used_s):
            if n_bytes <= self.limit_bytes // 8 * 7:
                return
            folder.discard(entry.name)
            n_bytes -= entry.n_bytes


def _discard_forgotten(folder: PrivateFolder, files: Sequence[Entry]) -> None:
    before_s = time.time() - FORGOTTEN_S
    for file in files:
        if file.name.endswith(PARTIAL) and file.used_s < before_s:
            folder.discard(file.name)
