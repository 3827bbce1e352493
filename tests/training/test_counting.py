from __future__ import annotations

from cellwise.data.batches import sizes_of
from cellwise.data.spooled import Form, Spooled
from cellwise.data.text_stream import Text, TextStream
from cellwise.training.config import load_config
from cellwise.training.counting import Counted
from cellwise.training.fingerprint import fingerprint
from cellwise.training.run import train
from tests.training.heard import Heard


def test_each_pass_over_the_examples_is_shown():
    heard = Heard()
    counted = Counted(range(600), heard, "vocabulary")
    assert [sum(counted) for _ in range(2)] == [sum(range(600))] * 2
    one = [("vocabulary", 600, 0), (256, ""), (256, ""), ("end",)]
    assert heard.words == one * 2


def test_a_pass_that_breaks_off_is_over():
    heard = Heard()
    for item in Counted("abc", heard, "vocabulary"):
        if item == "b":
            break
    assert heard.words == [("vocabulary", 3, 0), ("end",)]


def test_looking_at_an_example_is_no_pass():
    heard = Heard()
    counted = Counted("abc", heard, "vocabulary")
    assert (counted[1], counted[1:], len(counted)) == ("b", "bc", 3)
    assert heard.words == []


def test_what_the_examples_know_of_themselves_is_still_known(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one two\nthree\n")
    windows = TextStream(Text((path,)), lambda line: list(map(len, line.split())), 2)
    assert sizes_of(Counted(windows, Heard(), "vocabulary"), lambda _: 1 // 0) == [2, 1]
    spooled = Spooled(["one", "three"], Form(str, str))
    assert fingerprint(train=Counted(spooled, Heard(), "a")) == fingerprint(train=spooled)


def test_a_task_shows_its_passes_over_what_are_no_examples(tmp_path):
    (tmp_path / "text.txt").write_text("the sea sings\n" * 300)
    settings = [f"data.train={tmp_path}/text.txt", "data.dev_share=0.1", "model.hidden_size=4"]
    heard = Heard()
    config = load_config("language_model", [*settings, "training.epochs=1"])
    train(config, tmp_path / "run", reporter=heard)
    passes = [word[0] for word in heard.words if word[1:] == (0, 0)]
    assert passes == ["vocabulary", "reading", "reading"]
    begins = heard.words.index(("vocabulary", 0, 0))
    assert heard.words[begins : begins + 3] == [("vocabulary", 0, 0), (256, ""), ("end",)]
