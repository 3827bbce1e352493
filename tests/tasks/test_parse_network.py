import pytest
import torch

from cellwise.data.vocabulary import PAD, START, Vocabulary
from cellwise.tasks.parse_config import ParseModel
from cellwise.tasks.parse_network import SpeltBatch, TreeNetwork, WordMemory
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]
WORD = 4


def network_of(**changes):
    torch.manual_seed(0)
    sizes = {"embedding_size": 8, "hidden_size": 8, "character_embedding_size": 8}
    config = ParseModel(**{**sizes, "character_hidden_size": 8, "encoder_layers": 1, **changes})
    words = Vocabulary(("the", "dog", "barks"))
    return TreeNetwork(config, words, 9, 8, written_word=WORD).eval()


def batch_of(lengths=(3, 2), n_steps=6):
    torch.manual_seed(1)
    n_rows, longest = len(lengths), max(lengths)
    sizes = torch.tensor(lengths)
    outside = torch.arange(longest)[:, None] >= sizes
    before = torch.randint(4, 8, (n_steps, n_rows))
    before[0] = START
    return SpeltBatch(
        source=torch.randint(4, 7, (longest, n_rows)).masked_fill(outside, PAD),
        lengths=sizes,
        before=before,
        after=torch.randint(4, 8, (n_steps, n_rows)),
        target_lengths=torch.full((n_rows,), n_steps),
        n_units=n_steps * n_rows,
        spelling=torch.randint(0, 4, (longest, n_rows)),
        characters=torch.randint(4, 9, (5, 4)),
        character_lengths=torch.tensor([5, 2, 1, 4]),
    )


def memory_of(lengths):
    words = torch.arange(2 * 3.0).reshape(2, 3, 1) + 1
    padding = torch.arange(3) >= torch.tensor(lengths)[:, None]
    return WordMemory(torch.zeros(2, 3, 1), torch.zeros(2, 3, 1), padding, words)


def test_the_word_that_comes_next_is_read_and_none_after_the_last():
    memory = memory_of([3, 2])
    places = torch.tensor([[0, 0], [2, 1], [3, 2], [7, 3]])
    assert memory.coming(places)[..., 0].tolist() == [[1, 4], [3, 5], [0, 0], [0, 0]]


def test_hypotheses_of_a_row_lie_together():
    memory = memory_of([3, 3])
    assert memory.coming(torch.tensor([[0, 1, 1, 2]]))[0, :, 0].tolist() == [1, 2, 5, 6]
    assert memory.of(torch.tensor([1])).coming(torch.tensor([[0, 2]]))[0, :, 0].tolist() == [4, 6]


@pytest.mark.parametrize("changes", [{}, {"next_word": False}, {"character_hidden_size": 0}])
def test_a_step_at_a_time_gives_what_all_steps_at_once_give(changes):
    network, batch = network_of(**changes), batch_of()
    with torch.no_grad():
        reading = network.encode_words(batch)
        whole = torch.log_softmax(network.logits(reading, batch.before), dim=-1)
        step, state = network.stepper(reading), reading.state
        for at, symbols in enumerate(batch.before):
            log_p, state = step(symbols, state)
            allowed = log_p.isfinite()
            expected = torch.log_softmax(whole[at].masked_fill(~allowed, -torch.inf), dim=-1)
            torch.testing.assert_close(log_p, expected, **EXACT)
    if network.next_word is not None:
        assert torch.equal(state[-1][0, :, 0], (batch.before == WORD).sum(0))


def test_writing_in_two_pieces_is_writing_at_once():
    network, batch = network_of(), batch_of()
    with torch.no_grad():
        reading = network.encode_words(batch)
        whole = network.write(batch.before, reading.memory, reading.state)
        first = network.write(batch.before[:4], reading.memory, reading.state)
        second = network.write(batch.before[4:], reading.memory, first.state)
    torch.testing.assert_close(
        torch.cat([first.features, second.features]), whole.features, **EXACT
    )
    assert torch.equal(second.state[-1], whole.state[-1])


def test_the_characters_of_a_word_tell_unknown_words_apart():
    batch = batch_of((1, 1))
    same = SpeltBatch(**{**vars(batch), "source": torch.full((1, 2), 4)})
    apart = SpeltBatch(**{**vars(same), "spelling": torch.tensor([[0, 1]])})
    alike = SpeltBatch(**{**vars(same), "spelling": torch.tensor([[1, 1]])})
    network, silent = network_of(), network_of(character_hidden_size=0)
    with torch.no_grad():
        seen, other = (network.encode_words(one).seen for one in (apart, alike))
        assert not torch.equal(seen[:, 0], seen[:, 1])
        torch.testing.assert_close(other[:, 0], other[:, 1], **EXACT)
        deaf = silent.encode_words(apart).seen
        torch.testing.assert_close(deaf[:, 0], deaf[:, 1], **EXACT)


def test_every_weight_learns():
    network, batch = network_of().train(), batch_of()
    reading = network.encode_words(batch)
    network.nats(reading, batch.before, batch.after, batch.target_lengths).backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []
