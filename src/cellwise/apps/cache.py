"""`cellwise cache`: the compiled objects on disk."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from cellwise.apps.results import JsonOption
from cellwise.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwise.backends.cache_survey import Refused, Survey

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@commands.callback()
def cache() -> None:
    """Look at, or empty, the folder where compiled cells are kept between runs.

    CELLWISE_CACHE names another folder than the usual one; "off" stands for none.

    \b
    Examples:
      cellwise cache info
      cellwise cache clear
    """  # noqa: D301 - \b keeps the lines of the example apart in the help


@commands.command()
def info(*, as_json: JsonOption = False) -> None:
    """Say where the cache is, what it holds, and what of it is not used and why.

    \b
    Example:
      cellwise cache info --json
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    from cellwise.backends.cache import user_store
    from cellwise.backends.cache_survey import survey

    store = user_store()
    found = survey(store)
    if as_json:
        print(json.dumps(_facts(found, store.limit_bytes)))
    else:
        print(_table(found, store.limit_bytes))


@commands.command()
def clear(*, as_json: JsonOption = False) -> None:
    """Remove the compiled cells that are kept, and no other file of the folder.

    \b
    Example:
      cellwise cache clear
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    from cellwise.backends.cache import user_store
    from cellwise.backends.cache_survey import clear as empty
    from cellwise.backends.private_folder import RefusedError

    store = user_store()
    try:
        done = empty(store)
    except RefusedError as error:
        raise BackendError(f"the cache {store.folder} {error}; nothing was removed") from error
    if as_json:
        folder = None if store.folder is None else str(store.folder)
        facts = {"folder": folder, "removed": done.n_files, "bytes": done.n_bytes}
        print(json.dumps({**facts, "left": _records(done.left)}))
        return
    if store.folder is None:
        print(f"There is no cache: {store.reason}.")
        return
    print(f"Removed {_counted(done.n_files, 'file')}, {size(done.n_bytes)}, from {store.folder}.")
    for line in _lines(done.left):
        print(line)


def size(n_bytes: int) -> str:
    """A number of bytes for people.

    Example:
        >>> size(950), size(2_340_000)
        ('950 bytes', '2.3 MB')
    """
    if n_bytes < 1000:
        return _counted(n_bytes, "byte")
    if n_bytes < 1_000_000:
        return f"{n_bytes / 1000:.1f} kB"
    return f"{n_bytes / 1_000_000:.1f} MB"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _table(found: Survey, limit_bytes: int) -> str:
    rows = [("folder", str(found.folder or "none")), ("used", _used(found))]
    if found.entries or not found.reason:
        rows.append(("entries", str(len(found.entries))))
        rows.append(("size", f"{size(found.n_bytes)} of at most {size(limit_bytes)}"))
    if found.entries:
        rows.append(("last used", f"{_time(found, 0, ' ')} to {_time(found, -1, ' ')}"))
    rows += [("refused", str(len(found.refused)))] * bool(found.refused)
    return "\n".join([*(f"{name:<9}  {text}" for name, text in rows), *_lines(found.refused)])


def _used(found: Survey) -> str:
    return f"no: {found.reason}" if found.reason else "yes"


def _time(found: Survey, place: int, between: str = "T") -> str:
    """When the entry at this place was last used, in ISO 8601."""
    when = datetime.fromtimestamp(found.entries[place].used_s).astimezone()
    return when.isoformat(sep=between, timespec="seconds")


def _lines(refused: Sequence[Refused]) -> list[str]:
    return [f"  {file.name} {file.reason}" for file in refused]


def _records(refused: Sequence[Refused]) -> list[dict[str, str]]:
    return [{"file": file.name, "reason": file.reason} for file in refused]


def _facts(found: Survey, limit_bytes: int) -> dict[str, Any]:
    return {
        "folder": None if found.folder is None else str(found.folder),
        "used": not found.reason,
        "reason": found.reason or None,
        "entries": len(found.entries),
        "bytes": found.n_bytes,
        "limit_bytes": limit_bytes,
        "oldest": _time(found, 0) if found.entries else None,
        "newest": _time(found, -1) if found.entries else None,
        "refused": _records(found.refused),
    }
