"""A process that trains together with others: what it does, and what it tells of it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from cellwise.errors import CellwiseError
from cellwise.training.progress import Reporter

Work = Callable[[Reporter], Mapping[str, Any]]
"""What each process does, made of a function of a module; the first one's result is that of all."""

STDOUT, STDERR = 1, 2


class Relay(Reporter):
    """Sends what it is told through a connection, to the process that shows it."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def begin(self, name: str, total: int, done: int = 0) -> None:
        self._connection.send(("begin", name, total, done))

    def advance(self, count: int, text: str = "") -> None:
        self._connection.send(("advance", count, text))

    def end(self) -> None:
        self._connection.send(("end",))

    def note(self, text: str) -> None:
        self._connection.send(("note", text))

    def judged(self, epoch: int, value: float) -> None:
        self._connection.send(("judged", epoch, value))


def join(work: Work, rank: int, connection: Connection) -> None:
    """Do the work as the process `rank`, and send how it ended: a result, or what went wrong.

    Standard output is left to the process that started this one.
    """
    os.dup2(STDERR, STDOUT)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    try:
        connection.send(("result", work(Relay(connection))))
    except CellwiseError as error:
        connection.send(("error", type(error).__name__, str(error)))
    except KeyboardInterrupt as error:
        connection.send(("interrupt", str(error)))
    except Exception:  # noqa: BLE001 - told to the other side, which raises it
        connection.send(("failure", traceback.format_exc()))
    finally:
        connection.close()
