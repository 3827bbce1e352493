"""The n-gram model against the formulas, worked out symbol by symbol with dictionaries."""

from __future__ import annotations

import math
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from cellwise.data.lines import read_lines
from cellwise.data.vocabulary import END, PAD, START, Vocabulary
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.ngrams import FALLBACK, NGrams, discounts
from tests.tolerances import TOLERANCE

PTB = Path(__file__).parents[3] / "shared" / "data" / "lm_ptb"
EXACT = TOLERANCE[torch.float64]["exact"]
N_SYMBOLS = 9


def corpus(n_lines=300, seed=0):
    """Lines in which what comes next depends on two symbols, so that counts are uneven."""
    choose = random.Random(seed)
    lines = []
    for _ in range(n_lines):
        line = [choose.randint(4, 8)]
        for _ in range(choose.randint(0, 6)):
            likely = 4 + (line[-1] + line[max(0, len(line) - 2)]) % 5
            line.append(likely if choose.random() < 0.6 else choose.randint(4, 8))
        lines.append([*line, END])
    return lines


class Formulas:
    """Chen and Goodman's equations, as they are written, without any cleverness."""

    def __init__(self, lines, order):
        raw: Counter = Counter()
        for line in lines:
            marked = (START, *line)
            for n in range(1, order + 1):
                raw.update(marked[i : i + n] for i in range(len(marked) - n + 1))
        before = defaultdict(set)
        for gram in raw:
            before[gram[1:]].add(gram[0])
        self.counts: Counter = Counter()
        for gram, count in raw.items():
            longest = len(gram) == order or gram[0] == START
            self.counts[gram] = count if longest else len(before[gram])
        del self.counts[START,]
        self.order = order
        self.followers = defaultdict(list)
        for gram in self.counts:
            self.followers[gram[:-1]].append(gram)
        self.taken = {n: self.discounts_of(n) for n in range(1, order + 1)}

    def discounts_of(self, n):
        of = Counter(count for gram, count in self.counts.items() if len(gram) == n)
        if not all(of[k] for k in (1, 2, 3, 4)):
            return FALLBACK
        y = of[1] / (of[1] + 2 * of[2])
        found = [k - (k + 1) * y * of[k + 1] / of[k] for k in (1, 2, 3)]
        return [min(max(d, 0), k) for k, d in enumerate(found, start=1)]

    def probability(self, context, symbol):
        context = (START, *context)[-(self.order - 1) :] if self.order > 1 else ()
        return self.mixed(context, symbol)

    def mixed(self, context, symbol):
        shorter = self.mixed(context[1:], symbol) if context else 1 / (N_SYMBOLS - 2)
        grams = self.followers[context]
        total = sum(self.counts[gram] for gram in grams)
        if not total:
            return shorter
        taken = self.taken[len(context) + 1]
        left = sum(taken[min(self.counts[gram], 3) - 1] for gram in grams)
        own = self.counts[(*context, symbol)]
        kept = own - taken[min(own, 3) - 1] if own else 0
        return (kept + left * shorter) / total


def equal(found, wanted):
    torch.testing.assert_close(
        torch.from_numpy(np.asarray(found)), torch.tensor(wanted, dtype=torch.float64), **EXACT
    )


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("n_lines", [3, 300])
def test_probabilities_are_those_of_the_formulas(order, n_lines):
    lines = corpus(n_lines)
    model, formulas = NGrams.fit(lines, n_symbols=N_SYMBOLS, order=order), Formulas(lines, order)
    asked = corpus(20, seed=1)
    wanted = [
        math.log(formulas.probability(line[:i], symbol))
        for line in asked
        for i, symbol in enumerate(line)
    ]
    equal(model.log_probabilities(asked), wanted)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_distribution_sums_to_one_and_agrees(order):
    model = NGrams.fit(corpus(), n_symbols=N_SYMBOLS, order=order)
    choose = random.Random(2)
    for length in (0, 1, 2, 3, 6):
        context = [choose.randint(3, 8) for _ in range(length)]
        found = model.distribution(context)
        equal(found.sum(), 1.0)
        assert found[PAD] == found[START] == 0
        line = [*context, 7]
        equal(math.log(found[7]), float(model.log_probabilities([line])[-1]))


def test_an_unseen_symbol_has_a_probability_everywhere():
    model = NGrams.fit([[4, END], [4, END]], n_symbols=N_SYMBOLS, order=3)
    assert (np.delete(model.distribution([4]), [PAD, START]) > 0).all()
    equal(model.distribution([8, 8, 8]).sum(), 1.0)


def test_discounts_by_hand():
    counts = np.array([1] * 10 + [2] * 5 + [3] * 3 + [4] * 2 + [9, 0])
    share = 10 / 20
    equal(
        discounts(counts),
        [0, 1 - 2 * share * 5 / 10, 2 - 3 * share * 3 / 5, 3 - 4 * share * 2 / 3],
    )
    equal(discounts(np.array([1, 1, 2, 3])), [0, *FALLBACK])


def test_perplexity_is_of_all_symbols():
    lines = corpus()
    model = NGrams.fit(lines, n_symbols=N_SYMBOLS, order=3)
    asked = corpus(5, seed=4)
    equal(model.perplexity(asked), math.exp(-float(np.mean(model.log_probabilities(asked)))))
    assert model.perplexity(lines) < NGrams.fit(lines, n_symbols=9, order=1).perplexity(lines)


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(DataError, match="an n-gram model needs at least one symbol to learn from"):
        NGrams.fit([[]], n_symbols=5)
    cause = "the order of an n-gram model must be 1 or more, not 0"
    with pytest.raises(ConfigError, match=re.escape(cause)):
        NGrams.fit([[4]], n_symbols=5, order=0)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.skipif(not PTB.is_dir(), reason=f"the Penn Treebank is not at {PTB}")
def test_the_penn_treebank_has_the_published_perplexity():
    """141.2 for order 5: Mikolov 2012, "Statistical language models based on neural networks"."""
    texts = [
        [line.split() for _, line in read_lines(PTB / f"ptb.{part}.txt.gz")]
        for part in ("train", "test")
    ]
    words = Vocabulary.build(texts[0])
    train, test = ([[*words.encode(line), END] for line in text] for text in texts)
    model = NGrams.fit(train, n_symbols=len(words), order=5)
    assert round(model.perplexity(test), 1) == 141.2
