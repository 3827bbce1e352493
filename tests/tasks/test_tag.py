import json

import pytest
import torch

from cellwise.data.columns import Tagged
from cellwise.errors import ConfigError, DataError
from cellwise.tasks import TASKS
from cellwise.tasks.tag import Tag
from cellwise.tasks.tag_config import TagData, TagDecoding, TagModel
from cellwise.training.complaints import build_section
from tests.tasks.training_steps import trained
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]

SMALL = {
    "word_embedding_size": 12,
    "character_embedding_size": 8,
    "character_hidden_size": 8,
    "hidden_size": 16,
    "dropout": 0.1,
}
STEMS = "walk talk jump look call cook play open turn work".split()


def task_of(model=SMALL, **data):
    return Tag(TagData(format="columns", **data), TagModel(**model), TagDecoding())


def sentences():
    """Words ending in "s" are nouns, in "ed" verbs: characters tell, even of unknown words."""
    return [
        Tagged(("the", f"{noun}s", f"{verb}ed", "."), ("DET", "NOUN", "VERB", "PUNCT"))
        for noun in STEMS
        for verb in STEMS
    ]


def write(path, tagged):
    blocks = [
        "".join(f"{t}\t{label}\n" for t, label in zip(s.tokens, s.labels, strict=True))
        for s in tagged
    ]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("tag") / "train.tsv", sentences())
    task = task_of(train=path, dev=path)
    return task, trained(task, task.read("train"), epochs=10)


def evaluated(task, model, examples, **options):
    with torch.no_grad():
        return task.evaluate(
            model, examples, **{"batch_size": 16, "advance": lambda _: None, **options}
        )


def test_it_is_registered():
    assert TASKS["tag"] is Tag


def test_it_learns_and_knows_unknown_words_by_their_letters(tagger):
    task, model = tagger
    unknown = Tagged(("the", "barks", "mailed", "."), ("DET", "NOUN", "VERB", "PUNCT"))
    metrics = evaluated(task, model, [*sentences(), unknown])
    assert metrics["accuracy_known"] == 1
    assert metrics["accuracy_unknown"] == 1
    assert metrics["loss"] < 0.1


def test_accuracies_known_by_hand(tagger):
    task, model = tagger
    tokens = ("the", "walks", "gobs", ".")
    wrong = Tagged(tokens, ("DET", "VERB", "NEW", "PUNCT"))
    metrics = evaluated(task, model, [wrong])
    assert metrics["accuracy"] == 2 / 4
    assert metrics["accuracy_known"] == 2 / 3
    assert metrics["accuracy_unknown"] == 0
    known = Tagged(("the", "walks", "."), ("DET", "NOUN", "PUNCT"))
    assert "accuracy_unknown" not in evaluated(task, model, [known])


def test_every_sentence_counts_as_progress(tagger):
    task, model = tagger
    counts: list[int] = []
    evaluated(task, model, sentences(), batch_size=7, advance=counts.append)
    assert sum(counts) == 100


def test_predict_reads_tokens_separated_by_blanks(tagger):
    task, model = tagger
    lines = ["the  walks played .", "", "The jumps called . ."]
    answers = list(task.predict(model, lines))
    assert [a.text for a in answers[:2]] == ["the/DET walks/NOUN played/VERB ./PUNCT", ""]
    assert json.loads(json.dumps(answers[0].record)) == {
        "tokens": ["the", "walks", "played", "."],
        "labels": ["DET", "NOUN", "VERB", "PUNCT"],
    }
    apart = [answer for line in lines for answer in task.predict(model, [line])]
    assert [a.text for a in answers] == [a.text for a in apart]
    assert [a.text for a in task.predict(model, iter(lines))] == [a.text for a in apart]


def test_raw_text_is_cut_into_words_and_marks_where_that_is_asked_for(tagger):
    task, model = tagger
    cutting = Tag(task.data, task.model, TagDecoding(tokenize=True))
    cutting.restore(task.vocabularies())
    (found,) = cutting.predict(model, ["the walks played."])
    assert found.record["tokens"] == ["the", "walks", "played", "."]


def test_the_vector_of_a_text_is_the_mean_over_its_tokens(tagger):
    task, model = tagger
    lines = ["the walks played .", "", "the jumps"]
    with torch.no_grad():
        found = list(task.encode(model, lines))
        alone = next(task.encode(model, iter([lines[2]])))
        outputs = model.read(task._sentences([["the", "jumps"]]))
    assert [v.shape for v in found] == [(32,)] * 3
    torch.testing.assert_close(found[2], outputs[:, 0].mean(0), **EXACT)
    torch.testing.assert_close(found[2], alone, **EXACT)
    assert not found[1].any()
    assert not torch.equal(found[0], found[2])


def test_a_file_of_vectors_gives_the_size_and_more_words(tmp_path):
    train = write(tmp_path / "train.tsv", sentences()[:2])
    (tmp_path / "v.txt").write_text("the 1 2 3\nnew 4 5 6\nfar 7 8 9\n")
    task = task_of(
        {**SMALL, "word_embedding_size": 0, "tune_vectors": False},
        train=train,
        dev=train,
        vectors=str(tmp_path / "v.txt"),
        more_words=2,
    )
    task.fit(task.read("train"))
    model = task.build()
    numbers = torch.tensor(task.words.encode(["the", "new"]))
    assert model.words.weight[numbers].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert "far" not in task.words
    again = Tag(task.data, task.model, task.decoding)
    again.restore(json.loads(json.dumps(task.vocabularies())))
    assert again.build().words.weight.shape == model.words.weight.shape
    unseen = Tagged(("new", "walks"), ("DET", "NOUN"))
    found = evaluated(task, model.eval(), [unseen])
    assert found["accuracy_unknown"] in (0, 1)  # of "new" alone
    assert found["accuracy_known"] in (0, 1)


def test_runs_from_before_there_were_files_of_vectors_are_restored(tagger):
    task, _ = tagger
    old = {name: task.vocabularies()[name] for name in ("words", "characters", "labels")}
    again = Tag(task.data, task.model, task.decoding)
    again.restore(old)
    assert again.build().words.weight.shape == (len(task.words), 12)


def test_words_are_looked_up_in_lower_case_and_letters_are_not(tmp_path):
    path = write(tmp_path / "train.tsv", [Tagged(("The", "the"), ("A", "B"))])
    for lowercase, n_words in ((True, 1), (False, 2)):
        task = task_of(train=path, dev=path, lowercase=lowercase)
        task.fit(task.read("train"))
        assert len(task.words.symbols) == n_words
        assert set(task.characters.symbols) == set("Tthe")


def test_a_batch_holds_words_spellings_and_labels(tmp_path):
    path = write(tmp_path / "train.tsv", [Tagged(("aa", "b"), ("X", "Y")), Tagged(("b",), ("Y",))])
    task = task_of(train=path, dev=path)
    train = task.read("train")
    task.fit(train)
    batch = task.collate([*train, Tagged(("new",), ("NEW",))])
    assert batch.labels.tolist() == [[1, 0, -1], [0, -1, -1]]
    assert batch.n_units == 3
    assert batch.sentences.words.tolist() == [[5, 4, 1], [4, 0, 0]]
    assert batch.sentences.spelling.tolist() == [[0, 1, 2], [1, 0, 0]]
    assert batch.sentences.character_lengths.tolist() == [2, 1, 3]
    assert batch.to(torch.device("meta")).sentences.words.device.type == "meta"


def test_dev_is_split_off_by_the_sentence(tmp_path):
    path = write(tmp_path / "train.tsv", sentences())
    task = task_of(train=path, dev_share=0.2)
    train, dev = task.read("train"), task.read("dev")
    assert len(train) + len(dev) == 100
    assert 5 <= len(dev) <= 40
    assert task.read("test") == []


def test_conllu_is_read_with_its_column(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text("1\ta\ta\tDET\tDT\t_\t0\troot\t_\t_\n", encoding="utf-8")
    data = TagData(train=str(path), dev=str(path), column="xpos")
    task = Tag(data, TagModel(), TagDecoding())
    assert task.read("train") == [Tagged(("a",), ("DT",))]


def test_vocabularies_survive_json(tagger):
    task, _ = tagger
    again = Tag(task.data, task.model, task.decoding)
    again.restore(json.loads(json.dumps(task.vocabularies())))
    one, other = (t.collate(sentences()) for t in (task, again))
    assert torch.equal(one.sentences.words, other.sentences.words)
    assert torch.equal(one.sentences.characters, other.sentences.characters)
    assert torch.equal(one.labels, other.labels)
    assert torch.equal(task.build().hiding, again.build().hiding)


def test_complaints(tmp_path):
    path = write(tmp_path / "train.tsv", sentences()[:1])
    with pytest.raises(DataError) as error:
        task_of(train=path).read("train")
    assert str(error.value) == (
        f"{path}: too few sentences to split off data.dev_share = 0.05 of them; "
        "name a file as data.dev"
    )
    with pytest.raises(DataError) as error:
        task_of(train=path).evaluate(
            torch.nn.Linear(1, 1), [], batch_size=1, advance=lambda _: None
        )
    assert str(error.value) == "there is no sentence to evaluate on"


def test_a_size_of_zero_needs_a_file_of_vectors(tmp_path):
    path = write(tmp_path / "train.tsv", sentences()[:1])
    with pytest.raises(ConfigError) as error:
        task_of({**SMALL, "word_embedding_size": 0}, train=path, dev=path).fit(sentences())
    assert str(error.value) == (
        "model.word_embedding_size can be 0 only where data.vectors names a file of word vectors"
    )


def test_vectors_of_another_size_are_refused(tmp_path):
    path = write(tmp_path / "train.tsv", sentences()[:1])
    (tmp_path / "v.txt").write_text("the 1 2 3\n")
    with pytest.raises(DataError) as error:
        task_of(train=path, vectors=str(tmp_path / "v.txt")).fit(sentences())
    assert str(error.value) == (
        f"{tmp_path / 'v.txt'}: its vectors have 3 numbers, but model.word_embedding_size is 12; "
        "0 takes what the file has"
    )


def test_a_crf_smooths_no_labels():
    with pytest.raises(ConfigError) as error:
        build_section(TagModel, {"head": "crf", "label_smoothing": 0.1}, name="model", source="x")
    assert str(error.value) == (
        "x: 'model.label_smoothing' is 0.1, but must be 0 where model.head is 'crf': "
        "there is no distribution of one label to smooth"
    )


def test_labels_of_another_kind_are_refused(tagger):
    task, model = tagger
    other = Tagged(("the", "walks", "played", "."), ("DT", "NNS", "VBD", "SENT"))
    with pytest.raises(DataError) as error:
        evaluated(task, model, [other])
    assert str(error.value) == (
        "the model knows no label of these sentences: they hold 'DT', 'NNS', 'VBD', …, "
        "the model 'DET', 'NOUN', 'PUNCT', …"
    )


def test_labels_that_training_did_not_have_are_left_out_of_the_loss(tagger):
    task, model = tagger
    known = Tagged(("the", "walks"), ("DET", "NOUN"))
    alone = evaluated(task, model, [known])["loss"]
    other = Tagged(("the", "walks"), ("DET", "NEW"))
    batch = task.collate([other])
    nats, n_units = task.loss(model, batch)
    assert n_units == 1
    assert evaluated(task, model, [other])["loss"] == pytest.approx(float(nats.detach()))
    assert evaluated(task, model, [known, known])["loss"] == pytest.approx(alone)
