import pytest
import torch

from cellwise.data.vocabulary import END, START
from cellwise.heads.search import Rules, search
from cellwise.tasks.encoder_decoder import Bridge, EncoderDecoder
from cellwise.tasks.transduce_config import TransduceModel
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
STATELESS = "y[t] = tanh(U @ x[t] + b)"
DOUBLED = "c[t] = tanh(U @ x[t] + W @ c[t-1] + b)\nh[t] = [c[t], c[t]]"


def model_of(**options):
    config = TransduceModel(embedding_size=6, hidden_size=8, dropout=0.0, **options)
    return EncoderDecoder(config, 7, 9).double().eval()


@pytest.mark.parametrize("layers", [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("attention", ["multiplicative", "additive"])
def test_the_whole_target_at_once_is_step_by_step(layers, attention):
    model = model_of(encoder_layers=layers[0], decoder_layers=layers[1], attention=attention)
    source, lengths = torch.randint(4, 7, (5, 3)), torch.tensor([5, 2, 4])
    symbols = torch.randint(4, 9, (4, 3))
    together = model(source, lengths, symbols)
    reading = model.encode(source, lengths)
    state, steps = reading.state, []
    for symbol in symbols:
        written = model.write(symbol[None], reading.memory, state)
        state = written.state
        steps.append(model.head(written.features)[0])
    torch.testing.assert_close(together, torch.stack(steps), **EXACT)


def test_padding_and_batch_mates_do_not_matter():
    model = model_of()
    source, lengths = torch.randint(4, 7, (5, 3)), torch.tensor([5, 2, 4])
    symbols = torch.randint(4, 9, (4, 3))
    together = model(source, lengths, symbols)
    for row, length in enumerate(lengths.tolist()):
        alone = model(source[:length, row, None], lengths[row, None], symbols[:, row, None])
        torch.testing.assert_close(together[:, row, None], alone, **EXACT)


def test_symbols_beyond_their_lengths_change_nothing():
    model = model_of()
    source, lengths = torch.randint(4, 7, (5, 3)), torch.tensor([5, 2, 4])
    symbols, counts = torch.randint(4, 9, (4, 3)), torch.tensor([1, 4, 2])
    whole = model(source, lengths, symbols)
    cut = model(source, lengths, symbols, counts)
    for row, count in enumerate(counts.tolist()):
        torch.testing.assert_close(cut[:count, row], whole[:count, row], **EXACT)


def test_the_context_is_joined_as_luong_writes_it():
    model = model_of()
    source, lengths = torch.randint(4, 7, (5, 3)), torch.tensor([5, 2, 4])
    symbols = torch.randint(4, 9, (4, 3))
    reading = model.encode(source, lengths)
    outputs, _ = model.decoder(model.target(symbols), reading.state)
    seen, _ = model.encoder(model.source(source), lengths=lengths)
    context = model.attention(outputs, model.attention.remember(seen, lengths))
    joined = torch.tanh(model.join(torch.cat([context, outputs], dim=-1)))
    torch.testing.assert_close(model(source, lengths, symbols), model.head(joined), **EXACT)


def test_special_symbols_are_never_written():
    model = model_of()
    reading = model.encode(torch.randint(4, 7, (3, 2)), torch.tensor([3, 3]))
    log_p, _ = model.stepper(reading)(torch.tensor([2, 2]), reading.state)
    assert log_p[:, [0, 1, 2]].isneginf().all()
    one = torch.ones(2, dtype=torch.float64)
    torch.testing.assert_close(log_p.exp().sum(-1), one, **EXACT)


def test_the_bridge_hands_down_the_top_layers_and_stays_between_the_directions():
    state = (torch.arange(6.0).reshape(6, 1, 1).expand(6, 2, 3),)
    assert [part[:, 0, 0].tolist() for part in Bridge((3,), 3, 2)(state)] == [[2.5, 4.5]]
    assert [part[:, 0, 0].tolist() for part in Bridge((3,), 3, 4)(state)] == [[0.5, 2.5, 4.5, 4.5]]
    bridge = Bridge((3,), 3, 1)
    torch.nn.init.constant_(bridge.mix[0], 1e3)
    assert bridge(state)[0].unique().tolist() == [4.0]
    torch.nn.init.constant_(bridge.mix[0], -1e3)
    assert bridge(state)[0].unique().tolist() == [5.0]


@pytest.mark.parametrize("cell", ["gru", "lstm_projected", "slstm", "rhn"])
def test_any_cell_serves_with_finite_gradients(cell):
    config = TransduceModel(cell=cell, embedding_size=6, hidden_size=8, dropout=0.3)
    model = EncoderDecoder(config, 7, 9)
    logits = model(
        torch.randint(4, 7, (5, 3)), torch.tensor([5, 2, 4]), torch.randint(4, 9, (4, 3))
    )
    logits.square().sum().backward()
    assert logits.shape == (4, 3, 9)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("cell", [STATELESS, DOUBLED])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_output_need_not_be_a_state(cell, beam_size):
    model = model_of(cell=cell, encoder_layers=2, decoder_layers=2)
    source, lengths = torch.randint(4, 7, (5, 3)), torch.tensor([5, 2, 4])
    assert model(source, lengths, torch.randint(4, 9, (4, 3))).shape == (4, 3, 9)
    reading = model.encode(source, lengths)
    assert [part.shape[-1] for part in reading.state] == ([] if cell == STATELESS else [4])
    rules = Rules(START, END, beam_size)
    found = search(model.stepper(reading), reading.state, lengths, rules)
    assert all(len(f.symbols) <= n for f, n in zip(found, lengths.tolist(), strict=True))


def test_states_and_recurrent_weights_are_disturbed_in_training_alone():
    torch.manual_seed(1)
    model = model_of(zoneout=0.3, weight_dropout=0.3)
    lengths = torch.tensor([3, 2])
    source, symbols = torch.randint(4, 6, (3, 2)), torch.randint(4, 6, (4, 2))
    once, again = (model.train()(source, lengths, symbols) for _ in range(2))
    assert not torch.equal(once, again)
    once, again = (model.eval()(source, lengths, symbols) for _ in range(2))
    assert torch.equal(once, again)
    assert set(model.state_dict()) == set(model_of().state_dict())
