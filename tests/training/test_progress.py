from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from cellwise.training.progress import Bar, PlainLines, duration, make_reporter


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves by hand."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_come_every_few_seconds_with_speed_and_time_left(clock):
    stream = io.StringIO()
    lines = PlainLines(stream)
    lines.begin("epoch 1/2", 100)
    for _ in range(20):
        clock[0] += 1.0
        lines.advance(2, "loss 0.5")
    assert stream.getvalue().splitlines() == [
        "epoch 1/2  10/100  loss 0.5  45 s left",
        "epoch 1/2  20/100  loss 0.5  40 s left",
        "epoch 1/2  30/100  loss 0.5  35 s left",
        "epoch 1/2  40/100  loss 0.5  30 s left",
    ]


def test_a_resumed_epoch_estimates_from_what_this_sitting_did(clock):
    stream = io.StringIO()
    lines = PlainLines(stream)
    lines.begin("epoch 1/2", 100, 50)
    clock[0] += 5.0
    lines.advance(10)
    assert stream.getvalue() == "epoch 1/2  60/100  20 s left\n"


def test_of_work_without_a_known_end_only_what_is_done_is_shown(clock):
    stream = io.StringIO()
    lines = PlainLines(stream)
    lines.begin("encoding", 0)
    clock[0] += 5.0
    lines.advance(640)
    assert stream.getvalue() == "encoding  640\n"
    bar = Bar(Console(file=stream, force_terminal=True, width=120))
    bar.begin("encoding", 0)
    bar.advance(3)
    bar.end()
    assert "3/?" in stream.getvalue()


def test_the_bar_shows_the_text_and_leaves_notes():
    stream = io.StringIO()
    bar = Bar(Console(file=stream, force_terminal=True, width=120))
    bar.advance(1)  # before anything began: nothing to show
    bar.begin("epoch 1/2", 10)
    bar.advance(3, "loss 0.25")
    bar.note("epoch 1: [not markup]")
    bar.end()
    assert "loss 0.25" in stream.getvalue()
    assert "epoch 1: [not markup]" in stream.getvalue()


def test_silence_is_silent(capsys):
    reporter = make_reporter(quiet=True)
    reporter.begin("work", 3)
    reporter.advance(1, "text")
    reporter.note("text")
    reporter.end()
    assert capsys.readouterr() == ("", "")


def test_lines_are_written_where_standard_error_is_no_terminal(capsys):
    make_reporter().note("hello")
    assert capsys.readouterr().err == "hello\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")]
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
