"""A folder that only we can write to, opened once and used through its handle.

On POSIX a folder or a file counts as ours if it belongs to our effective user, is writable by
nobody else, and is no symbolic link. This is asked of the open handle, so that nothing can be put
in its place between the question and the use. Other systems (Windows) have no such owners and bits:
there the folder is as safe as its access list makes it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

PARTIAL = ".partial"
"""How the names of files end that are not written to their end yet."""

_HAS_HANDLES = os.open in os.supports_dir_fd
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # a pipe of that name must not make us wait
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_BINARY = getattr(os, "O_BINARY", 0)


class RefusedError(OSError):
    """A folder or a file that others can change; the message says why, and ends a sentence."""


def check_ours(facts: os.stat_result) -> None:
    """See that a file or a folder is ours and that nobody else can write to it.

    Raises:
        RefusedError: it is not, or others can.
    """
    if not hasattr(os, "geteuid"):
        return
    if stat.S_ISLNK(facts.st_mode):
        raise RefusedError("is a symbolic link")
    if facts.st_uid != os.geteuid():
        raise RefusedError(f"belongs to user {facts.st_uid}, and we are user {os.geteuid()}")
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise RefusedError("is writable by its group or by everyone")


@contextlib.contextmanager
def opened(path: Path, *, make: bool = False) -> Iterator[PrivateFolder]:
    """Open a folder, for as long as the `with` lasts.

    Args:
        path: where it is.
        make: make it, for us alone, if it is not there.

    Raises:
        RefusedError: it is not ours alone.
        OSError: it cannot be opened or made.
    """
    if make and not path.exists():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _HAS_HANDLES:
        os.scandir(path).close()  # raises what opening it would
        yield PrivateFolder(path, None)
        return
    handle = _open_folder(path)
    try:
        check_ours(os.fstat(handle))
        yield PrivateFolder(path, handle)
    finally:
        os.close(handle)


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, _FOLDER)
    except OSError as error:
        if path.is_symlink():
            raise RefusedError("is a symbolic link") from error
        raise


class PrivateFolder:
    """An open folder, and what is done with the files in it. Made by `opened`."""

    def __init__(self, path: Path, handle: int | None):
        self._path, self._handle = path, handle

    def _place(self, name: str) -> str:
        """The name as seen from the handle; a whole path where there is none."""
        return name if self._handle is not None else str(self._path / name)

    def names(self) -> list[str]:
        """The names of all that is in the folder."""
        with os.scandir(self._path if self._handle is None else self._handle) as found:
            return [entry.name for entry in found]

    def facts(self, name: str) -> os.stat_result:
        """Size, times, owner and mode; of a link itself, not of what it points at."""
        return os.stat(self._place(name), dir_fd=self._handle, follow_symlinks=False)

    def read(self, name: str, *, most_bytes: int) -> bytes:
        """What a file of ours holds, up to `most_bytes`.

        Raises:
            RefusedError: it is not ours alone, or no plain file.
            OSError: it is not there, or cannot be read.
        """
        with os.fdopen(self._open(name, _READ), "rb") as file:
            facts = os.fstat(file.fileno())
            check_ours(facts)
            if not stat.S_ISREG(facts.st_mode):
                raise RefusedError("is not a plain file")
            return file.read(min(facts.st_size, most_bytes))

    def _open(self, name: str, how: int) -> int:
        try:
            flags = how | _NO_LINK | _BINARY
            return os.open(self._place(name), flags, 0o600, dir_fd=self._handle)
        except OSError as error:
            if self._is_link(name):  # systems differ in the error that this is
                raise RefusedError("is a symbolic link") from error
            raise

    def _is_link(self, name: str) -> bool:
        try:
            return stat.S_ISLNK(self.facts(name).st_mode)
        except OSError:
            return False

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place in one step: readers see the old one or the new one, whole.

        Raises:
            OSError: it cannot be written; nothing changed then.
        """
        partial = f"{name}.{secrets.token_hex(8)}{PARTIAL}"
        try:
            self._write(partial, content)
            source, target = self._place(partial), self._place(name)
            os.replace(source, target, src_dir_fd=self._handle, dst_dir_fd=self._handle)
        finally:
            self.discard(partial)

    def _write(self, name: str, content: bytes) -> None:
        with os.fdopen(self._open(name, _CREATE), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def try_writing(self, name: str, n_bytes: int) -> None:
        """Write a file of so many bytes, and remove it.

        Raises:
            OSError: that cannot be done; the error says why.
        """
        partial = f"{name}.{secrets.token_hex(8)}{PARTIAL}"
        try:
            self._write(partial, bytes(n_bytes))
        finally:
            self.discard(partial)

    def touch(self, name: str) -> None:
        """Set a file's time to now, if it can be set."""
        with contextlib.suppress(OSError):
            os.utime(self._place(name), dir_fd=self._handle)

    def remove(self, name: str) -> None:
        """Remove a file; of a link, the link.

        Raises:
            OSError: it is not there, or cannot be removed.
        """
        os.unlink(self._place(name), dir_fd=self._handle)

    def discard(self, name: str) -> None:
        """Remove a file, if it is there and can be removed."""
        with contextlib.suppress(OSError):
            self.remove(name)
