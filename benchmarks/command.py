"""A benchmark as a command: what a person can mend is said in one line, with exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from cellwise.errors import CellwiseError

ERROR_STATUS = 2


def run_command(main: Callable[..., None]) -> None:
    """Run a function with the arguments of the command line, as `typer.run` does."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except CellwiseError as error:
        typer.echo(f"benchmarks: {error}", err=True)
        sys.exit(ERROR_STATUS)
