"""The command `cellwise`; each part imports what it needs when it runs, so help is instant."""

from __future__ import annotations

import _thread
import io
import os
import sys
import threading
from typing import Any

import typer
from typer.core import TyperGroup

from cellwise.apps import (
    bench,
    cache,
    chat,
    encode,
    evaluate,
    generate,
    predict,
    starting,
    train,
    tune,
    zoo,
)
from cellwise.errors import NO_MEMORY, CellwiseError, is_of_memory
from cellwise.training.stops import StoppedError

ERROR_STATUS = 2
INTERRUPT_STATUS = 130


class Commands(TyperGroup):
    """Runs a command, and turns errors that a person can mend into one message."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return result
        except CellwiseError as error:
            stopped = isinstance(error, StoppedError)
            print(error if stopped else f"cellwise: {error}", file=sys.stderr)
            raise typer.Exit(INTERRUPT_STATUS if stopped else ERROR_STATUS) from error
        except KeyboardInterrupt as error:
            print(f"cellwise: {str(error) or 'stopped by Ctrl-C'}", file=sys.stderr)
            raise typer.Exit(INTERRUPT_STATUS) from error
        except BrokenPipeError as error:
            _forget_output()
            raise typer.Exit(0) from error
        except UnicodeEncodeError as error:
            print(
                "cellwise: a name or a text holds bytes that are not UTF-8, or LC_ALL says that "
                f"names here are in {error.encoding}",
                file=sys.stderr,
            )
            raise typer.Exit(ERROR_STATUS) from error
        except (RuntimeError, MemoryError) as error:
            if not is_of_memory(error):
                raise
            print(f"cellwise: {NO_MEMORY}", file=sys.stderr)
            raise typer.Exit(ERROR_STATUS) from error
        except OSError as error:
            place = "" if error.filename is None else f"{error.filename}: "
            print(f"cellwise: {place}{error.strerror or error}", file=sys.stderr)
            raise typer.Exit(ERROR_STATUS) from error


def _forget_output() -> None:
    """Whoever read our output is gone: let what is still buffered go nowhere, quietly."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


app = typer.Typer(
    name="cellwise",
    cls=Commands,
    help="From the equations of a recurrent network to a trained model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("tune")(tune.tune)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("chat")(chat.chat)
app.command("generate")(generate.generate)
app.command("encode")(encode.encode)
app.command("init")(starting.init)
app.command("recipes")(starting.recipes)
app.command("cells")(zoo.cells)
app.add_typer(cache.commands, name="cache")
app.command("bench")(bench.bench)
app.command("version")(starting.version)


def _not_lost(unraisable: Any) -> None:
    """A Ctrl-C that came while Python called something whose errors it drops: once more."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        again = threading.Timer(0.01, _thread.interrupt_main)  # when that call is over
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)


def main() -> None:
    """Run the command line; what the terminal cannot show becomes a question mark."""
    sys.unraisablehook = _not_lost
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
