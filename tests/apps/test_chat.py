"""`cellwise chat`: a conversation through standard input."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cellwise.apps.cli import app
from cellwise.training import run
from cellwise.training.config import parse_config

DIALOGUES = [["Is it raining?", "No."], ["Do you like tea?", "Yes, I do."]] * 20
CONFIG = """
task = "converse"
[data]
train = "dialogues.jsonl"
dev = "dialogues.jsonl"
[model]
embedding_size = 16
hidden_size = 24
context_dropout = 0.05
dropout = 0.0
[decoding]
beam_size = 1
judged_answers = 2
[training]
epochs = 14
batch_size = 8
learning_rate = 0.02
evaluate_examples = 2
device = "cpu"
tensorboard = false
"""


@pytest.fixture(scope="module")
def talker(tmp_path_factory):
    """A run that knows two answers."""
    folder = tmp_path_factory.mktemp("converse")
    (folder / "dialogues.jsonl").write_text("\n".join(map(json.dumps, DIALOGUES)))
    run.train(parse_config(CONFIG, folder, source="test"), folder / "run")
    return str(folder / "run")


def said(arguments, text):
    return CliRunner().invoke(app, ["chat", *arguments], input=text)


def test_each_line_is_answered(talker):
    result = said([talker], "Is it raining?\n\nDo you like  tea?\n")
    assert result.exit_code == 0, result.output
    assert result.stdout == "no.\nyes, i do.\n"


def test_turns_are_remembered_until_they_are_to_be_forgotten(talker):
    records = said([talker, "--json"], "Is it raining?\nDo you like tea?\n/forget\nIs it raining?")
    first, second, third = map(json.loads, records.stdout.splitlines())
    assert first == third
    assert first["source"] == "Is it raining?"
    assert second["output"] != ""
    alone = json.loads(said([talker, "--json"], "Do you like tea?\n").stdout)
    assert second["log_probability"] != alone["log_probability"]


def test_another_task_does_not_chat(trained):
    result = said([str(trained)], "Hello\n")
    assert result.exit_code == 2
    assert result.stderr == (
        f"cellwise: {trained} is a run of task 'toy', which does not converse; chat with a run of "
        "task 'converse', or ask this one with `cellwise predict`\n"
    )
