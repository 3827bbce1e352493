"""The files of the cache: their names, and their form, which shows whether they are whole."""

from __future__ import annotations

import hashlib
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cellwise.backends.private_folder import PARTIAL, PrivateFolder, check_ours

SUFFIX = ".compiled"
"""How the names of entries end; before it stands the key."""

_MAGIC = b"CELLWISE"
_VERSION = 1
_HEADER = struct.Struct("<8sI64sQ32s")
HEADER_BYTES = _HEADER.size
"""How much larger an entry is than its content."""

_KEY = re.compile(r"[0-9a-f]{64}")
_OURS = re.compile(rf"([0-9a-f]{{64}}){re.escape(SUFFIX)}(\.[0-9a-f]{{16}}{re.escape(PARTIAL)})?")


class DamagedError(Exception):
    """An entry is not what its writer wrote; the message says how, and ends a sentence."""


@dataclass(frozen=True)
class Entry:
    """A file of the cache.

    Attributes:
        name: of the file.
        n_bytes: its size.
        used_s: when it was last used, in seconds since 1970.
    """

    name: str
    n_bytes: int
    used_s: float


def entry_name(key: str) -> str:
    """The file of a key.

    Raises:
        ValueError: it is no key, and might name a file elsewhere.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"a key is what key_of gives, and not {key!r}")
    return key + SUFFIX


def pack(content: bytes, key: str) -> bytes:
    """An entry: magic, version, key, length and SHA-256 of the content, and the content."""
    digest = hashlib.sha256(content).digest()
    return _HEADER.pack(_MAGIC, _VERSION, key.encode(), len(content), digest) + content


def unpack(written: bytes, key: str) -> bytes:
    """The content of an entry.

    Raises:
        DamagedError: it is not whole, or was written under another key.
    """
    if len(written) < HEADER_BYTES:
        raise DamagedError("is cut off within its header")
    magic, version, owner, length, digest = _HEADER.unpack_from(written)
    content = written[HEADER_BYTES:]
    if (magic, version) != (_MAGIC, _VERSION):
        raise DamagedError("is of another format")
    if owner != key.encode():
        raise DamagedError("was written under another key")
    if length != len(content):
        raise DamagedError(f"holds {len(content)} bytes where {length} were written")
    if digest != hashlib.sha256(content).digest():
        raise DamagedError("differs from its checksum")
    return content


def read_entry(folder: PrivateFolder, name: str, *, most_bytes: int) -> bytes:
    """The content of an entry in a file.

    Raises:
        DamagedError: it is not whole, or larger than `most_bytes`.
        OSError: it is not ours alone, or cannot be read.
    """
    written = folder.read(name, most_bytes=most_bytes + HEADER_BYTES)
    return unpack(written, name.removesuffix(SUFFIX))


def our_names(folder: PrivateFolder) -> list[str]:
    """What bears the name of an entry or of a part of one; a folder may hold other files too."""
    return sorted(name for name in folder.names() if _OURS.fullmatch(name))


def our_files(folder: PrivateFolder) -> Iterator[Entry]:
    """Entries and parts of entries that are plain files and ours alone; not read, not verified."""
    for name in our_names(folder):
        try:
            facts = folder.facts(name)
            check_ours(facts)
        except OSError:  # gone by now, or not to be touched
            continue
        if stat.S_ISREG(facts.st_mode):
            yield Entry(name, facts.st_size, facts.st_mtime)
