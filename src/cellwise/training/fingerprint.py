"""The fingerprint of a run's examples: a run goes on only with the data that it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from cellwise.errors import ConfigError

Fingerprint = dict[str, dict[str, Any]]


@runtime_checkable
class Fingerprinted(Protocol):
    """A sequence that knows a hash of its content without making its items."""

    def fingerprint(self) -> str:
        """The hash, the same for the same content, as hexadecimal digits."""


def fingerprint(**parts: Sequence[Any]) -> Fingerprint:
    """The number of examples of each part, and a hash of them, as JSON values."""
    return {
        name: {"examples": len(examples), "sha256": _hash(examples)}
        for name, examples in parts.items()
    }


def check_same_data(saved: Mapping[str, Any] | None, found: Fingerprint) -> None:
    """Compare with a checkpoint's fingerprint; None is of a run from before there were any.

    Raises:
        ConfigError: the data changed.
    """
    for part, now in found.items() if saved is not None else ():
        before = saved.get(part) if isinstance(saved, Mapping) else None
        if before != now:
            raise ConfigError(
                f"the {part} examples changed since the run stopped: {_told(before, now)}. "
                "Put the old data back, or start a new run with another --out"
            )


def _told(before: Any, now: Mapping[str, Any]) -> str:
    count = before.get("examples") if isinstance(before, Mapping) else None
    if count is None:
        return "what the run noted of them cannot be read"
    if count == now["examples"]:
        return f"there are {count} still, but not the same"
    return f"there were {count}, and are {now['examples']} now"


def _hash(examples: Iterable[Any]) -> str:
    if isinstance(examples, Fingerprinted):
        return examples.fingerprint()
    found = hashlib.sha256()
    for example in examples:
        found.update(f"{example!r}\n".encode("utf-8", "surrogatepass"))
    return found.hexdigest()
