"""The command line as a process: what it writes where its streams cannot hold every letter."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.apps.test_cli import ROOT


def written(*arguments, encoding="utf-8", module="tests.apps.toy_cli"):
    """What a process writes to standard output."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def test_what_the_terminal_cannot_show_is_a_question_mark():
    assert b"?" in written("cells", "elman", "--unicode", encoding="ascii")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_json_keeps_what_standard_output_cannot_hold(trained, encoding):
    shown = written("predict", trained, "a日ü", "--json", encoding=encoding)
    assert "a日ü" in json.loads(shown).values()
    assert ("日".encode() in shown) is (encoding == "utf-8")
    assert shown.isascii() is (encoding != "utf-8")


def test_python_runs_the_package():
    assert written("version", module="cellwise").startswith(b"cellwise ")
