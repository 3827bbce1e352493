"""Names on a benchmark's command line."""

from __future__ import annotations

from collections.abc import Iterable

from cellwise.errors import ConfigError, nearest


def chosen(names: str, known: Iterable[str]) -> list[str]:
    """The names between commas.

    Raises:
        ConfigError: one is unknown.

    Example:
        >>> chosen("ours,torch.nn", ["5-gram", "ours", "torch.nn"])
        ['ours', 'torch.nn']
    """
    there = list(known)
    found = names.split(",")
    for name in found:
        if name not in there:
            message = f"there is no '{name}'; there are {', '.join(there)}. {nearest(name, there)}"
            raise ConfigError(message.strip())
    return found
