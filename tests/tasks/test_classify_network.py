import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.data.batches import lengths_of, pad
from cellwise.data.labelled import Labelled
from cellwise.data.vocabulary import PAD
from cellwise.tasks.classify import Classify
from cellwise.tasks.classify_config import ClassifyData, ClassifyDecoding, ClassifyModel
from cellwise.tasks.classify_network import Texts


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 12))
def test_a_crop_is_a_stretch_of_each_text(lengths, size):
    rows = [[10 * row + step for step in range(1, n + 1)] for row, n in enumerate(lengths, start=1)]
    cropped = Texts(pad(rows, PAD), lengths_of(rows)).crop(size)
    assert cropped.lengths.tolist() == [min(n, size) for n in lengths]
    assert len(cropped.symbols) == max(cropped.lengths.tolist())
    for row, text, n in zip(rows, cropped.symbols.T.tolist(), cropped.lengths, strict=True):
        first = row.index(text[0])
        assert text[:n] == row[first : first + n]
        assert not any(text[n:])


def test_every_stretch_of_a_text_can_be_drawn():
    torch.manual_seed(1)
    text = Texts(torch.arange(1, 6)[:, None], torch.tensor([5]))
    assert {int(text.crop(3).symbols[0]) for _ in range(99)} == {1, 2, 3}


def test_training_reads_stretches_and_all_else_whole_texts():
    quiet = {"dropout": 0.0, "embedding_dropout": 0.0, "word_dropout": 0.0}
    task = Classify(
        ClassifyData(), ClassifyModel(hidden_size=4, crop=2, **quiet), ClassifyDecoding()
    )
    examples = [Labelled("a b c d", ("good",)), Labelled("e f", ("bad",))]
    task.fit(examples)
    model, texts = task.build(), task.collate(examples).texts
    model.train()
    rows = [model(texts) for _ in range(30)]
    assert len({tuple(row[0].tolist()) for row in rows}) == 3  # ab, bc, cd
    model.eval()
    whole = model(texts)
    assert torch.equal(whole, model(texts))
    torch.testing.assert_close(whole[1], rows[0][1])
    assert not any(torch.allclose(whole[0], row[0]) for row in rows)
