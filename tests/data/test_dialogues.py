from __future__ import annotations

import gzip
import json
from importlib import resources

import pytest

from cellwise.data.dialogues import read_dialogues
from cellwise.errors import DataError

GREETING = ("Hello .", "Hi ! How are you ?")


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "Hello .\nHi !  How are you ?\n\n\nBye .\n"),
        ("a.txt.gz", "Hello . __eou__ Hi ! How are you ? __eou__\nBye . __eou__\n"),
        ("a.json", json.dumps([list(GREETING), {"turns": ["Bye ."]}])),
        (
            "a.json.gz",
            json.dumps(
                [
                    {"turns": [{"speaker": "USER", "utterance": text} for text in GREETING]},
                    {"turns": [{"utterance": "Bye ."}]},
                ],
                indent=1,
            ),
        ),
        ("a.jsonl", '["Hello .", "Hi ! How are you ?"]\n{"turns": ["Bye ."]}\n'),
        (
            "a.yml",
            "categories:\n- x\nconversations:\n- - Hello .\n  - Hi ! How are you ?\n- - Bye .\n",
        ),
    ],
)
def test_every_form_gives_the_same_dialogues(tmp_path, name, text):
    assert list(read_dialogues(written(tmp_path, name, text))) == [GREETING, ("Bye .",)]


def test_yaml_turns_that_look_like_truths_and_numbers_are_texts(tmp_path):
    path = written(tmp_path, "a.yml", "conversations:\n- - Twice 21?\n  - 42\n  - Yes\n- Alone\n")
    assert list(read_dialogues(path)) == [("Twice 21?", "42", "Yes"), ("Alone",)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "\n \n", "{path}: the file holds no dialogue"),
        ("a.json", "[[]]", "{path}: the file holds no dialogue"),
        ("a.json", '{"turns": []}', "{path}: the file must hold a list of dialogues"),
        ("a.json", "[\n[", "{path}, line 2: no JSON: Expecting value"),
        (
            "a.jsonl",
            '["a"]\n3\n',
            '{path}, line 2: a dialogue must be a list of turns, or an object with "turns"',
        ),
        (
            "a.json",
            '[["a", {"text": "b"}]]',
            '{path}, dialogue 1: turn 2 must be a text, or an object with an "utterance"',
        ),
        ("a.yml", "turns: []", "{path}: the file must hold a list under 'conversations'"),
    ],
)
def test_what_holds_no_dialogues_is_refused(tmp_path, name, text, message):
    path = written(tmp_path, name, text)
    with pytest.raises(DataError) as caught:
        list(read_dialogues(path))
    assert str(caught.value) == message.format(path=path)


def test_the_package_chatterbot_corpus_can_be_read():
    pytest.importorskip("chatterbot_corpus", reason="chatterbot-corpus is not installed")
    folder = resources.files("chatterbot_corpus") / "data" / "english"
    with resources.as_file(folder / "greetings.yml") as path:
        dialogues = list(read_dialogues(path))
    assert ("Hello", "Hi") in dialogues


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.json", '[["hello \\ud83d"]]', "dialogue 1: turn 1: its text holds half a character"),
        ("a.jsonl", '["hello \\ud83d"]', "line 1: turn 1: its text holds half a character"),
        ("a.json", "[" * 100_000, "nested too deep"),
        ("a.jsonl", f"[{'1' * 5000}]", "no JSON: Exceeds the limit"),
    ],
)
def test_what_json_can_hold_and_no_dialogue(tmp_path, name, text, complaint):
    with pytest.raises(DataError, match=complaint):
        list(read_dialogues(written(tmp_path, name, text)))
