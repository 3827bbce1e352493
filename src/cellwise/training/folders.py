"""The run folder while a training uses it: what it may hold before, and who else is in it."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cellwise.errors import ConfigError
from cellwise.training.checkpoints import (
    has_begun,
    has_checkpoint,
    mark_begun,
    write_atomically,
    write_json,
)

RUN_FILES = ("config.toml", "vocabularies.json")
"""What every run folder holds from its start."""

_NO_LOCKS = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def write_start(folder: Path, vocabularies: Mapping[str, Any], config: str) -> None:
    """What a run folder holds before its first checkpoint, or before the next one."""
    write_json(folder / "vocabularies.json", vocabularies)
    if not has_checkpoint(folder):
        mark_begun(folder)
    write_atomically(folder / "config.toml", config.encode())


@contextlib.contextmanager
def prepared(folder: Path, *, resume: bool) -> Iterator[None]:
    """Make the folder for a run, if one may be there; take it back if it stays empty.

    Raises:
        ConfigError: it cannot be made or written to, or holds something else already.
    """
    try:
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"{folder} is a file; a run needs a folder")
        folder.mkdir(parents=True, exist_ok=True)
        _check(folder, resume=resume)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be the run folder: {error.strerror}") from error
    try:
        yield
    except BaseException:
        for path in made:
            # Not empty, or gone already: either is fine, and the error under way says more.
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training in the folder, where the system has such locks.

    Raises:
        ConfigError: another process trains there.
    """
    if importlib.util.find_spec("fcntl") is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError(
            f"another process trains in {folder}; wait until it ends, or choose another --out"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # some network folders have no locks
            raise


def _check(folder: Path, *, resume: bool) -> None:
    """A new run takes an empty folder or none; only `resume` touches a folder that holds a run."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder} cannot be the run folder: it cannot be written to")
    if not any(folder.iterdir()):
        return
    if not resume:
        raise ConfigError(
            f"{folder} is not empty. Choose another --out, or go on with the run there: --resume"
        )
    if has_checkpoint(folder):
        return
    if not all((folder / name).is_file() for name in RUN_FILES):
        raise ConfigError(
            f"{folder} holds files, but no run to resume. Choose another --out, without --resume"
        )
    if (folder / "model.safetensors").exists() and not has_begun(folder):
        raise ConfigError(
            f"{folder} holds a trained model, but no checkpoint to go on from: what its folder "
            "'last' held is gone. Use the model as it is, or start a new run with another --out"
        )
