import pytest
import torch

from cellwise.data.vocabulary import PAD, START, Vocabulary
from cellwise.tasks.describe_config import DescribeModel
from cellwise.tasks.describe_network import Captions, Describer
from cellwise.tasks.describe_regions import GivenRegions
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]
WORDS = Vocabulary("abcdef")


def network_of(**settings):
    config = DescribeModel(**{"hidden_size": 6, "dropout": 0.0, **settings})
    return Describer(config, GivenRegions(4, 5), WORDS, embedding_size=3)


def captions_of(*texts, rows):
    before = torch.full((max(map(len, texts)) + 1, len(texts)), PAD)
    for column, text in enumerate(texts):
        before[: len(text) + 1, column] = torch.tensor([START, *WORDS.encode(text)])
    lengths = torch.tensor([len(text) + 1 for text in texts])
    return Captions(torch.tensor(rows), before, before, lengths)


def test_the_equations_written_out():
    """The first input by Vinyals et al., the attention and output by Luong et al."""
    network = network_of(cell="elman").eval()
    images, captions = torch.randn(1, 4, 5), captions_of("ab", rows=[0])
    logits = network(images, (), captions)
    parts, own = dict(network.named_parameters()), dict(network.decoder.named_parameters())
    regions = images[0]
    h = torch.zeros(6)

    def step(x, h):
        return torch.tanh(own["layer0.U_h"] @ x + own["layer0.W_h"] @ h + own["layer0.b_h"])

    h = step(parts["first.weight"] @ regions.mean(0) + parts["first.bias"], h)
    for t, symbol in enumerate(captions.before[:, 0]):
        h = step(parts["target.weight"][symbol], h)
        weights = torch.softmax((regions @ parts["attention.key.weight"].T) @ h, dim=0)
        joined = torch.cat([weights @ regions, h])
        features = torch.tanh(parts["join.weight"] @ joined + parts["join.bias"])
        expected = parts["head.linear.weight"] @ features + parts["head.linear.bias"]
        torch.testing.assert_close(logits[t, 0], expected, **EXACT)


def test_the_first_state_written_out():
    network = network_of(start="state", num_layers=2, cell="lstm").eval()
    images = torch.randn(3, 4, 5)
    state = network.see(images).state
    assert [part.shape for part in state] == [(2, 3, 6), (2, 3, 6)]
    for part, layer in zip(state, network.first, strict=True):
        expected = torch.tanh(layer(images[1].mean(0))).reshape(2, 6)
        torch.testing.assert_close(part[:, 1], expected, **EXACT)


@pytest.mark.parametrize("attention", ["none", "multiplicative", "additive"])
@pytest.mark.parametrize("start", ["input", "state"])
def test_captions_of_a_batch_are_as_alone(attention, start):
    network = network_of(attention=attention, start=start).eval()
    images = torch.randn(2, 4, 5)
    both = network(images, (), captions_of("abc", "f", "de", rows=[1, 0, 1]))
    for column, (text, row) in enumerate((("abc", 1), ("f", 0), ("de", 1))):
        alone = network(images[row : row + 1], (), captions_of(text, rows=[0]))
        torch.testing.assert_close(both[: len(text) + 1, column], alone[:, 0], **EXACT)


def test_the_search_sees_what_training_sees():
    network = network_of().eval()
    images, captions = torch.randn(2, 4, 5), captions_of("abc", "fed", rows=[0, 1])
    logits = network(images, (), captions)
    reading = network.see(images)
    step, state = network.stepper(reading), reading.state
    for t in range(4):
        found, state = step(captions.before[t], state)
        expected = logits[t].clone()
        expected[:, [0, 1, 2]] = -torch.inf
        torch.testing.assert_close(found, torch.log_softmax(expected, -1), **EXACT)
    assert reading.of(torch.tensor([1])).seen.shape == (4, 1, 5)


def test_words_are_hidden_in_training_alone():
    network = network_of(word_dropout=1e9)
    images, captions = torch.randn(1, 4, 5), captions_of("abc", rows=[0])
    reading = network.see(images)
    unknown = captions_of("xyz", rows=[0])
    hidden = Captions(captions.rows, unknown.before, captions.after, captions.lengths)
    expected = network.eval().caption_nats(reading, hidden)
    seen = network.caption_nats(reading, captions)
    torch.testing.assert_close(network.train().caption_nats(reading, captions), expected, **EXACT)
    assert (seen - expected).abs() > 1e-3
