"""A reporter for tests."""

from __future__ import annotations

from cellwise.training.progress import Reporter


class Heard(Reporter):
    """Keeps what it is told."""

    def __init__(self):
        self.words: list[tuple] = []

    def begin(self, name, total, done=0):
        self.words.append((name, total, done))

    def advance(self, count, text=""):
        self.words.append((count, text))

    def end(self):
        self.words.append(("end",))

    def note(self, text):
        self.words.append((text,))

    def judged(self, epoch, value):
        self.words.append((epoch, value))
