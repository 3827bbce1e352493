"""Runs the examples of README.md and docs/: their Python blocks and their console blocks.

The blocks of a document share their names and one empty folder, from top to bottom, as for a person
who follows it. In a console block, lines after `$ ` and `> ` are run by bash and must succeed; what
stands below them, if anything does, has to be what they print (`...` stands for any text). A block
of the language `cell` has to be a cell, and lies in the folder as mycell.txt.

All tests of a run share a disk cache of compiled code that nobody else uses.
"""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: a thread a test process

CACHE = pytest.StashKey[TemporaryDirectory[str]]()

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

FEW_WORDS = """\
tea\tT IY
eat\tIY T
ate\tEY T
tee\tT IY
"""
QUICKLY = (
    "--set data.source=files --set data.train=few.tsv --set data.dev=few.tsv "
    "--set data.test=few.tsv --set training.epochs=2 --set model.hidden_size=8 "
    "--set model.embedding_size=4 --set training.batch_size=2"
)
"""What makes minutes of `cellwise train pronounce` a matter of a second, in a test."""


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a cache of its own; the processes of pytest-xdist inherit it."""
    if not hasattr(config, "workerinput"):
        config.stash[CACHE] = TemporaryDirectory(prefix="cellwise-cache-")
        os.environ["CELLWISE_CACHE"] = config.stash[CACHE].name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the cache."""
    if CACHE in config.stash:
        config.stash[CACHE].cleanup()


def run_console(example: Example) -> str | None:
    """Run the commands of a console block; returns what is wrong, if anything is."""
    lines = example.parsed.splitlines()
    commands = [_quickly(line[2:]) for line in lines if line.startswith(("$ ", "> "))]
    expected = "".join(f"{line}\n" for line in lines if not line.startswith(("$ ", "> ")))
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        env=os.environ | {"PATH": tools, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    if expected.strip() and not doctest.OutputChecker().check_output(expected, done.stdout, FLAGS):
        return f"expected:\n{expected}\nprinted:\n{done.stdout}"
    return None


def _quickly(command: str) -> str:
    return f"{command} {QUICKLY}" if command.startswith("cellwise train pronounce") else command


def write_cell(example: Example) -> None:
    """Read a block as a cell, and leave it where the console blocks find it."""
    from cellwise.cell import Cell

    Cell(example.parsed)
    Path("mycell.txt").write_text(example.parsed, encoding="utf-8")


def enter_empty_folder(namespace: dict[str, Any]) -> None:
    """Give a document a folder of its own."""
    folder = TemporaryDirectory()
    namespace["_folder"], namespace["_before"] = folder, Path.cwd()
    os.chdir(folder.name)
    Path("few.tsv").write_text(FEW_WORDS, encoding="utf-8")


def leave_folder(namespace: dict[str, Any]) -> None:
    """Undo what `enter_empty_folder` did."""
    os.chdir(namespace["_before"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(doctest_optionflags=FLAGS),
        CodeBlockParser("console", run_console),
        CodeBlockParser("cell", write_cell),
        SkipParser(),
    ],
    patterns=["README.md", "docs/*.md"],
    setup=enter_empty_folder,
    teardown=leave_folder,
).pytest()
