import re

import pytest
import torch

from cellwise.data.symbols import Symbols
from cellwise.data.vocabulary import END, PAD, START, UNKNOWN, Vocabulary
from cellwise.errors import ConfigError
from cellwise.heads.sampling import Sampling
from cellwise.tasks.language_model_generation import Drawing, Spelling, draw_numbers
from tests.tasks.language_models import LINES, built, task_of, write

LIKELIEST = Sampling(temperature=0)


@pytest.fixture
def task(tmp_path):
    return task_of(write(tmp_path, *LINES))


def test_the_likeliest_text_is_that_of_whole_sequences(task):
    model = built(task)
    found = list(draw_numbers(model, [END, 5, 4], Drawing(LIKELIEST, length=6)))
    read = [END, 5, 4]
    for number in found:
        with torch.no_grad():
            features, _ = model(torch.tensor(read)[:, None])
        log_p = model.log_probabilities(features)[-1, 0]
        log_p[[PAD, START, UNKNOWN]] = -torch.inf
        assert number == int(log_p.argmax())
        read.append(number)
    assert len(found) == 6


def test_special_symbols_are_never_drawn(task):
    model = built(task)
    drawn = set(draw_numbers(model, [END], Drawing(Sampling(temperature=5.0), length=400)))
    assert drawn == set(range(len(task.words))) - {PAD, START, UNKNOWN}


def test_a_text_follows_from_its_seed(task):
    model = built(task)
    texts = [
        "".join(task.generate(model, "the", Drawing(Sampling(), length=30, seed=seed)))
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_a_line_ends_where_it_ends(task):
    model = built(task)
    for seed in range(5):
        drawing = Drawing(Sampling(), length=60, one_line=True, seed=seed)
        numbers = list(draw_numbers(model, [END], drawing))
        assert END not in numbers[:-1]
        assert numbers[-1] == END or len(numbers) == 60


def test_a_prompt_is_read_with_its_line_ends(task, monkeypatch):
    model, read = built(task), []

    def draw(_, numbers, drawing, *, barred):
        read.append(numbers)
        assert barred == (() if task.data.line_ends else (END,))
        return iter((4,) * drawing.length)

    monkeypatch.setattr("cellwise.tasks.language_model.draw_numbers", draw)
    the, sea, a = task.words.encode(["the", "sea", "a"])
    drawing, word = Drawing(Sampling(), length=2), task.words.decode([4])[0]
    cases = (
        ("", [END], f"{word} {word}"),
        ("the sea", [END, the, sea], f" {word} {word}"),
        ("the sea\n", [END, the, sea, END], f"{word} {word}"),
        ("the\na", [END, the, END, a], f" {word} {word}"),
    )
    for prompt, wanted, text in cases:
        assert "".join(task.generate(model, prompt, drawing)) == text
        assert read.pop() == wanted
    monkeypatch.setattr(task.data, "line_ends", False)
    "".join(task.generate(model, "the\na", drawing))
    assert read.pop() == [END, the, a]


def test_a_symbol_that_is_barred_is_never_drawn(task):
    model = built(task)
    drawing = Drawing(Sampling(), length=300, seed=3)
    free = set(draw_numbers(model, [END], drawing))
    assert END in free
    assert END not in set(draw_numbers(model, [END], drawing, barred=(END,)))


def test_a_seed_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="seed must be from 0 to 2"):
        Drawing(Sampling(), seed=2**64)


@pytest.mark.parametrize(
    ("unit", "symbols", "numbers", "text"),
    [
        ("words", ["tea", "time"], [4, 5, END, 5], "tea time\ntime"),
        ("tokens", ["tea", "!"], [4, 5, END, END, 5], "tea!\n\n!"),
        ("tokens", ["tea", "(", ")"], [4, 5, 4, 6, 4], "tea (tea) tea"),
        ("characters", ["a", " "], [4, 5, 4, END, 4], "a a\na"),
        ("subwords", ["▁te", "a"], [4, 5, 4, 5, END, 4, 5], "tea tea\ntea"),
    ],
)
def test_symbols_are_spelled_as_they_come(unit, symbols, numbers, text):
    spell = Spelling(Symbols(unit), Vocabulary(symbols))
    assert "".join(spell(number) for number in numbers) == text


def test_gradients_are_as_they_were(task):
    model = built(task)
    for _ in draw_numbers(model, [END], Drawing(LIKELIEST, length=2)):
        assert torch.is_grad_enabled()


def test_a_text_has_a_length():
    with pytest.raises(ConfigError, match=re.escape("length must be 1 or more, not 0")):
        Drawing(Sampling(), length=0)
