"""What is made once in a process, whoever asks first, and stays: machine code by its address."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from functools import wraps
from typing import ParamSpec, TypeVar

Asked = ParamSpec("Asked")
Made = TypeVar("Made")

lock = threading.RLock()
"""Held while something is made; whoever else wants to make something waits."""


def once(make: Callable[Asked, Made]) -> Callable[Asked, Made]:
    """As `functools.cache`, but what one of two threads makes that ask at once, both get.

    With `functools.cache` both would make it, and one of the results would be dropped, with code
    whose address is already somewhere else.
    """
    known: dict[Hashable, Made] = {}

    @wraps(make)
    def asked(*args: Asked.args, **named: Asked.kwargs) -> Made:
        key = (*args, *named.items())
        if key not in known:
            with lock:
                if key not in known:
                    known[key] = make(*args, **named)
        return known[key]

    return asked
