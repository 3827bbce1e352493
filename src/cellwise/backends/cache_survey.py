"""What a person wants from the cache: to see what it holds and why it is not used; to empty it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cellwise.backends.cache import Store
from cellwise.backends.cache_entries import (
    DamagedError,
    Entry,
    entry_name,
    our_names,
    read_entry,
)
from cellwise.backends.private_folder import PARTIAL, PrivateFolder, check_ours, opened

_PROBE_BYTES = 4096


@dataclass(frozen=True)
class Refused:
    """A file that bears the name of an entry, or of a part of one, and why it is not used."""

    name: str
    reason: str


@dataclass(frozen=True)
class Survey:
    """What a cache holds.

    Attributes:
        folder: where it is; None if it is off.
        reason: why it is not used; "" if it is.
        entries: those that would be used, the least recently used first.
        refused: those that would not.
    """

    folder: Path | None
    reason: str
    entries: tuple[Entry, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def n_bytes(self) -> int:
        """What the entries take together."""
        return sum(entry.n_bytes for entry in self.entries)


@dataclass(frozen=True)
class Cleared:
    """How much `clear` removed, and what it had to leave."""

    n_files: int = 0
    n_bytes: int = 0
    left: tuple[Refused, ...] = ()


def survey(store: Store) -> Survey:
    """Look at every file of a cache, verify it, and try whether more could be written."""
    if store.folder is None:
        return Survey(None, store.reason)
    reason = ""
    try:
        with opened(store.folder) as folder:
            try:
                folder.try_writing(entry_name("0" * 64), _PROBE_BYTES)
            except OSError as error:  # what is there may be read all the same
                reason = f"nothing can be written to it: {_cause(error)}"
            return _listed(folder, store, reason)
    except FileNotFoundError:
        return Survey(store.folder, _why_not_made(store.folder))
    except OSError as error:
        return Survey(store.folder, f"the folder {_sentence_end(error)}")


def _listed(folder: PrivateFolder, store: Store, reason: str) -> Survey:
    entries, refused = [], []
    for name in our_names(folder):
        try:
            entries.append(_verified(folder, name, store.limit_bytes))
        except FileNotFoundError:  # another process removed it
            continue
        except (OSError, DamagedError) as error:
            refused.append(Refused(name, _sentence_end(error)))
    entries.sort(key=lambda entry: entry.used_s)
    return Survey(store.folder, reason, tuple(entries), tuple(refused))


def _verified(folder: PrivateFolder, name: str, most_bytes: int) -> Entry:
    facts = folder.facts(name)
    if name.endswith(PARTIAL):
        check_ours(facts)
        raise DamagedError("is not written to its end (yet, or its writer was stopped)")
    read_entry(folder, name, most_bytes=most_bytes)
    return Entry(name, facts.st_size, facts.st_mtime)


def clear(store: Store) -> Cleared:
    """Remove all entries and parts of entries that belong to us, and nothing else.

    Raises:
        OSError: the folder is not ours alone, or cannot be opened.
    """
    if store.folder is None:
        return Cleared()
    try:
        with opened(store.folder) as folder:
            return _cleared(folder)
    except FileNotFoundError:
        return Cleared()


def _cleared(folder: PrivateFolder) -> Cleared:
    n_files = n_bytes = 0
    left = []
    for name in our_names(folder):
        try:
            n_bytes += _removed_bytes(folder, name)
            n_files += 1
        except FileNotFoundError:  # another process removed it
            continue
        except OSError as error:
            left.append(Refused(name, _sentence_end(error, "removed")))
    return Cleared(n_files, n_bytes, tuple(left))


def _removed_bytes(folder: PrivateFolder, name: str) -> int:
    """Remove a file; of a link, the link. How large it was."""
    facts = folder.facts(name)
    if stat.S_ISDIR(facts.st_mode):
        raise IsADirectoryError("is a folder")
    if hasattr(os, "geteuid") and facts.st_uid != os.geteuid():
        raise PermissionError(f"belongs to user {facts.st_uid}, and we are user {os.geteuid()}")
    folder.remove(name)
    return facts.st_size


def _cause(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _sentence_end(error: Exception, done: str = "used") -> str:
    """What an error says of a file; the system's own words are no end of a sentence."""
    system = error.strerror if isinstance(error, OSError) else None
    return f"cannot be {done}: {system}" if system else str(error)


def _why_not_made(path: Path) -> str:
    """Why a folder that is not there cannot be made; "" if it can."""
    parent = next(above for above in path.parents if above.exists())
    can = os.access(parent, os.W_OK | os.X_OK)
    return "" if can else f"the folder cannot be made: {parent} cannot be written to"
