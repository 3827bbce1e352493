import json
import math
import random
import re

import pytest
import torch

from cellwise.data.text_stream import TextStream
from cellwise.data.vocabulary import END, UNKNOWN, Vocabulary
from cellwise.errors import ConfigError, DataError
from cellwise.tasks import TASKS
from cellwise.tasks.language_model import LanguageModelling
from tests.tasks.language_models import LINES, built, task_of, write
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]


@pytest.fixture
def task(tmp_path):
    return task_of(write(tmp_path, *LINES))


def batches_of(task, n_lanes):
    train = task.read("train")
    plan = task.plan(train.sizes, n_lanes, seed=1, epoch=0)
    return [task.collate([train[i] for i in places]) for places in plan]


def log_probabilities(model, numbers):
    """Of each symbol after the first, the sequence read at once and without memory before it."""
    read = torch.tensor(numbers)[:, None]
    features, _ = model(read[:-1])
    return model.log_probabilities(features)[:, 0].gather(1, read[1:])[:, 0]


def close(found, wanted):
    found, wanted = (torch.as_tensor(v, dtype=torch.float64).detach() for v in (found, wanted))
    torch.testing.assert_close(found, wanted, **EXACT)


def test_it_is_registered():
    assert TASKS["language_model"] is LanguageModelling


def test_the_loss_of_windows_is_that_of_the_stream(task):
    model = built(task)
    wanted = -log_probabilities(model, task.read("train").numbers).sum()
    losses = [task.loss(model, batch) for batch in batches_of(task, 1)]
    close(sum(loss for loss, _ in losses), wanted)
    assert sum(n for _, n in losses) == task.read("train").n_symbols


@pytest.mark.parametrize("n_lanes", [2, 3, 4])
def test_the_loss_of_lanes_is_that_of_their_texts(task, n_lanes):
    model, stream = built(task), task.read("train")
    batches = batches_of(task, n_lanes)
    wanted = 0.0
    for lane in range(len(batches[0].starts)):
        mine = [batch for batch in batches if len(batch.starts) > lane]
        place = slice(mine[0].starts[lane], mine[-1].stops[lane] + 1)
        wanted = wanted - log_probabilities(model, stream.numbers[place]).sum()
    close(sum(task.loss(model, batch)[0] for batch in batches), wanted)


@pytest.mark.parametrize("n_lanes", [1, 3, 50])
def test_an_epoch_tells_every_symbol_once(task, n_lanes):
    task.fit(task.read("train"))
    told = [n for batch in batches_of(task, n_lanes) for n in batch.real(batch.right).tolist()]
    assert sorted(told) == sorted(task.read("train").numbers[1:].tolist())


def test_an_epoch_begins_without_memory_and_gradients_end_at_windows(task):
    model = built(task)
    first, second, *_ = batches_of(task, 2)
    once, _ = task.loss(model, first)
    later, _ = task.loss(model, second)
    later.backward()
    assert all(not part.requires_grad for part in task.carried().values())
    again, _ = task.loss(model, first)
    close(again, once)
    alone, _ = task_of(task.data.train).loss(model, second)
    assert not torch.isclose(alone, later)


@pytest.mark.parametrize(("training", "rate"), [(True, 1.0), (True, 0.0), (False, 1.0)])
def test_batches_may_restart_in_training(tmp_path, training, rate):
    task = task_of(write(tmp_path, *LINES), model={"restart_rate": rate})
    model = built(task).train(training)
    first, second, *_ = batches_of(task, 2)
    task.loss(model, first)
    later, _ = task.loss(model, second)
    task.carry({})
    alone, _ = task.loss(model, second)
    assert torch.equal(alone, later) == (training and rate == 1.0)


def test_a_batch_without_rows_costs_nothing(task):
    """A process may have no lane of an epoch's last batch."""
    model = built(task)
    task.loss(model, batches_of(task, 2)[0])
    loss, n_units = task.loss(model, task.collate([]))
    loss.backward()
    assert (float(loss.detach()), n_units) == (0.0, 0)
    assert all(not p.grad.any() for p in model.parameters() if p.grad is not None)


def test_what_is_carried_goes_on_in_another_task(task, tmp_path):
    model = built(task)
    first, second, *_ = batches_of(task, 2)
    assert task.carried() == {}
    task.loss(model, first)
    kept = {name: part.clone() for name, part in task.carried().items()}
    wanted, _ = task.loss(model, second)
    other = task_of(task.data.train)
    other.carry(kept)
    assert torch.equal(other.loss(model, second)[0], wanted)
    other.carry({})
    assert other.carried() == {}


def test_an_evaluation_leaves_what_training_carries(task):
    model = built(task)
    task.loss(model, batches_of(task, 2)[0])
    kept = {name: part.clone() for name, part in task.carried().items()}
    evaluated(task, model)
    assert all(torch.equal(part, kept[name]) for name, part in task.carried().items())


def evaluated(task, model, examples=None, *, advance=lambda _: None):
    examples = task.read("dev") if examples is None else examples
    with torch.no_grad():
        return task.evaluate(model, examples, batch_size=3, advance=advance)


@pytest.mark.parametrize("piece", [1, 3, 512])
def test_metrics_are_of_the_whole_text_in_order(task, monkeypatch, piece):
    monkeypatch.setattr("cellwise.tasks.language_model_scores.PIECE", piece)
    model, stream = built(task), task.read("dev")
    wanted = -log_probabilities(model, stream.numbers)
    counts: list[int] = []
    metrics = evaluated(task, model, advance=counts.append)
    close(metrics["loss"], wanted.mean())
    close(metrics["perplexity"], wanted.mean().exp())
    characters = sum(len(line) + 1 for line in LINES)
    close(metrics["bits_per_character"], wanted.sum() / math.log(2) / characters)
    assert metrics["unknown_rate"] == 0
    assert sum(counts) == len(stream)


def test_lanes_of_an_evaluation_begin_without_memory(task, monkeypatch):
    monkeypatch.setattr("cellwise.tasks.language_model_scores.PIECE", 5)
    model, numbers = built(task), task.read("dev").numbers
    task.decoding.lanes = 2
    middle = -(-len(numbers) // 10) * 5
    halves = [log_probabilities(model, numbers[a:b]) for a, b in ((0, middle + 1), (middle, None))]
    close(evaluated(task, model)["loss"], -torch.cat(halves).mean())


def test_windows_in_any_order_are_read_in_theirs(task):
    model, stream = built(task), task.read("dev")
    chosen = [stream[3], stream[0], stream[2]]
    pieces = [stream.numbers[0:5], stream.numbers[8:17]]
    wanted = -torch.cat([log_probabilities(model, piece) for piece in pieces]).mean()
    metrics = evaluated(task, model, chosen)
    close(metrics["loss"], wanted)
    assert "bits_per_character" not in metrics


def test_unknown_symbols_are_counted(task, tmp_path):
    model = built(task)
    stream = task.read_file(tmp_path / write(tmp_path, "the new sea", name="b.txt"))
    assert isinstance(stream, TextStream)
    assert stream.numbers[2] == UNKNOWN
    assert evaluated(task, model, stream)["unknown_rate"] == 1 / 4


def test_no_text_is_an_error(task):
    with pytest.raises(DataError, match="there is no text to evaluate on"):
        evaluated(task, built(task), [])


def test_lines_are_scored_as_if_another_had_ended(task):
    model = built(task)
    lines = ["the sea", "", "a new wind sings"]
    answers = list(task.predict(model, lines))
    for line, answer in zip(lines, answers, strict=True):
        numbers = task.words.encode(line.split())
        wanted = log_probabilities(model, [END, *numbers, END])
        record = json.loads(json.dumps(answer.record))
        close(record["log_probabilities"], wanted)
        close(record["log_probability"], wanted.sum())
        close(record["perplexity"], (-wanted.mean()).exp())
        total, perplexity = record["log_probability"], record["perplexity"]
        assert answer.text == f"{total:.2f}\t{perplexity:.2f}\t{line}"
    assert answers[2].record["symbols"] == ["a", "<unknown>", "wind", "sings", "<end>"]
    streamed = [answer.record for answer in task.predict(model, iter(lines))]
    for one, other in zip(streamed, answers, strict=True):
        close(one["log_probabilities"], other.record["log_probabilities"])


def test_without_line_ends_an_empty_line_has_nothing_to_tell(tmp_path):
    task = task_of(write(tmp_path, *LINES), line_ends=False)
    model = built(task)
    assert END not in task.read("train").numbers[1:]
    (answer,) = task.predict(model, [""])
    assert answer.text == "0.00\t1.00\t"
    assert answer.record["log_probabilities"] == []


def test_vectors_of_lines_are_means_over_what_is_read(task):
    model = built(task)
    task.decoding.batch_size = 2
    lines = ["the sea sings", "", "a"]
    with torch.no_grad():
        found = list(task.encode(model, lines))
        for line, vector in zip(lines, found, strict=True):
            read = torch.tensor([END, *task.words.encode(line.split())])[:, None]
            outputs, _ = model.layers(model.embedding(read))
            close(vector, outputs.mean(0)[0])


def test_it_learns_what_an_n_gram_model_cannot_see(tmp_path):
    """Which letter ends a line is what began it, six symbols before."""
    choose = random.Random(0)
    lines = [f"{letter}------{letter}" for letter in choose.choices("ab", k=200)]
    model = {"window": 18, "hidden_size": 12, "num_layers": 1, "cell": "gru"}
    model |= {"restart_rate": 0.1}
    task = task_of(write(tmp_path, *lines), model=model, unit="characters")
    task.fit(task.read("train"))
    torch.manual_seed(0)
    network = task.build()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(30):
        for batch in batches_of(task, 10):
            loss, n_units = task.loss(network, batch)
            optimiser.zero_grad()
            (loss / n_units).backward()
            optimiser.step()
    network.eval()
    answers = task.predict(network, ["a------a", "a------b"])
    right, wrong = (answer.record["log_probabilities"][7] for answer in answers)
    assert math.exp(right) > 0.8
    assert math.exp(wrong) < 0.2


def test_symbols_are_kept_by_count_and_by_number(tmp_path):
    path = write(tmp_path, "a a a b b c", "A")
    cases: tuple[tuple[dict, set[str]], ...] = (
        ({}, {"a", "b", "c", "A"}),
        ({"min_count": 2}, {"a", "b"}),
        ({"max_symbols": 1}, {"a"}),
        ({"lowercase": True}, {"a", "b", "c"}),
        ({"unit": "characters"}, {"a", "b", "c", "A", " "}),
    )
    for settings, wanted in cases:
        task = task_of(path, **settings)
        task.fit(task.read("train"))
        assert set(task.words.symbols) == wanted


def test_subwords_are_learnt_and_survive_json(tmp_path):
    pytest.importorskip("tokenizers")
    task = task_of(write(tmp_path, *LINES), unit="subwords", n_subwords=30)
    task.fit(task.read("train"))
    again = LanguageModelling(task.data, task.model, task.decoding)
    again.restore(json.loads(json.dumps(task.vocabularies())))
    assert again.numbers("the sea sings") == task.numbers("the sea sings")
    assert len(task.read("train")) == len(again.read("train"))


def test_every_piece_of_a_word_that_was_learnt_is_known(tmp_path):
    """Letters that training shows within longer pieces alone, too."""
    pytest.importorskip("tokenizers")
    path = write(tmp_path, *["the sea sings"] * 3)
    task = task_of(path, unit="subwords", n_subwords=100, min_count=2)
    task.fit(task.read("train"))
    assert {*task.symbols.learnt} == {*task.words.symbols}
    assert not {*task.symbols.cut("gas eaten")} & {"<unknown>"}


def test_parts_are_cut_off_the_end_in_order(tmp_path):
    lines = [f"line {i:03}" for i in range(100)]
    path = write(tmp_path, *lines)
    task = task_of(path, dev="", test="", dev_share=0.1, test_share=0.2)
    parts = [list(task.read(part).text) for part in ("train", "dev", "test")]
    assert [len(part) for part in parts] == [70, 10, 20]
    assert [line for part in parts for line in part] == lines
    task = task_of(path, dev="", test="", dev_share=0.1)
    assert list(task.read("test")) == []
    assert list(task.read("dev").text) == lines[90:]
    task = task_of(path, test="", test_share=0.5)
    assert list(task.read("test").text) == lines[50:]
    assert list(task.read("dev").text) == lines


def test_the_length_of_a_text_is_known_before_its_symbols_are_learnt(task):
    """A resumed run compares its data before it restores its vocabularies."""
    assert len(task.read("train")) == 6
    assert len(task.words.symbols) == 8


def test_symbols_are_learnt_once_and_those_of_a_run_replace_them(task, monkeypatch):
    learnt = []
    build = Vocabulary.build

    def noted(*given, **options):
        learnt.append(1)
        return build(*given, **options)

    monkeypatch.setattr(Vocabulary, "build", noted)
    train = task.read("train")
    before = train.numbers.tolist()
    task.fit(train)
    assert learnt == [1]
    saved = task.vocabularies()
    saved["words"]["symbols"].reverse()
    task.restore(saved)
    assert train.numbers.tolist() != before
    assert train.numbers[1:].tolist() == [n for line in LINES for n in task.numbers(line)]


def test_a_mapped_text_gives_the_same_batches(task):
    mapped = task_of(task.data.train, in_memory=False)
    for one, other in zip(batches_of(task, 3), batches_of(mapped, 3), strict=True):
        assert torch.equal(one.symbols, other.symbols)
        assert torch.equal(one.right, other.right)


def test_vectors_of_words_need_words(tmp_path):
    path = write(tmp_path, *LINES)
    vectors = write(tmp_path, "sea 1 2 3", name="vectors.txt")
    task = task_of(path, model={"embedding_size": 0}, vectors=vectors)
    model = built(task)
    (sea,) = task.words.encode(["sea"])
    close(model.embedding.weight[sea], [2.0, 4.0, 6.0])  # `built` doubles all weights
    cause = (
        "data.vectors: the file holds vectors of words, but data.unit is 'characters'; "
        "take 'words' or 'tokens'"
    )
    with pytest.raises(ConfigError, match=re.escape(cause)):
        built(task_of(path, unit="characters", vectors=vectors))


def test_ends_of_lines_that_are_no_symbols_are_no_characters(tmp_path):
    task = task_of(write(tmp_path, *["ab"] * 20), unit="characters", line_ends=False)
    task.fit(task.read("train"))
    metrics = evaluated(task, built(task))
    close(metrics["bits_per_character"], metrics["loss"] / math.log(2))


def test_a_text_without_a_symbol_to_learn_is_refused(tmp_path):
    path = write(tmp_path, "a b", "c d")
    task_of(path, unit="words", min_count=2).fit([])  # the ends of lines are some
    with pytest.raises(DataError) as caught:
        task_of(path, unit="words", min_count=2, line_ends=False).fit([])
    assert str(caught.value) == (
        f"{path}: no symbol is there data.min_count = 2 times, so there is nothing to learn"
    )
