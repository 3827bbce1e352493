from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cellwise.apps.cli import app
from cellwise.apps.inputs import input_lines
from cellwise.apps.results import metric_table
from cellwise.errors import ConfigError, DataError
from cellwise.training.sources import recipe_names
from tests.training.toy import Toy

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "train",
    "tune",
    "evaluate",
    "predict",
    "encode",
    "init",
    "recipes",
    "cells",
    "bench",
    "version",
]


def invoke(*arguments, status=0, stdin=None):
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
    assert result.exit_code == status, result.output
    return result


@contextmanager
def started(*arguments, **streams):
    """The command line in a process of its own, with the toy task; killed if a test fails."""
    command = [sys.executable, "-m", "tests.apps.toy_cli", *map(str, arguments)]
    kind = subprocess.Popen[str]
    with kind(command, cwd=ROOT, text=True, stderr=subprocess.PIPE, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example(command):
    text = invoke(command, "--help").output
    assert "Example" in text
    assert f"  cellwise {command}" in text


def test_help_is_instant_because_torch_stays_out():
    program = (
        "import sys; from cellwise.apps.cli import app\n"
        "try: app(['--help'])\n"
        "finally: print('torch' in sys.modules, 'pydantic' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "False False"


def test_train_prints_test_metrics_and_what_to_do_next(config, tmp_path):
    run = tmp_path / "run"
    result = invoke("train", config, "--out", run)
    lines = result.stdout.splitlines()
    assert lines[0].endswith(": all 2 epochs are done.")
    assert lines[1].startswith("Best on dev: accuracy ")
    assert lines[2] == "Test:"
    assert lines[3].startswith("  accuracy  ")
    assert lines[4:] == [
        f"The run is in {run}. Use it:",
        f"  cellwise predict {run} TEXT",
        f"  cellwise evaluate {run} --data FILE",
    ]
    notes = result.stderr.splitlines()
    assert notes[0] == f"run folder: {run}"
    assert notes[1].startswith("toy: 64 training and 24 dev examples, ")
    assert notes[2].startswith("epoch 1: loss ")


def test_train_as_json_is_one_object_on_standard_output(config, tmp_path):
    result = invoke("train", config, "--out", tmp_path / "run", "--json", "--quiet")
    found = json.loads(result.stdout)
    assert found["run"] == str(tmp_path / "run")
    assert found["epochs"] == 2
    assert set(found["test"]) == {"accuracy"}
    assert result.stderr == ""


def test_train_chooses_a_folder_by_name_and_time(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    invoke("train", config, "-q")
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("toy-20")


def test_resume_by_folder_or_by_out(config, tmp_path):
    run = tmp_path / "run"
    invoke("train", config, "--out", run, "-q", "--set", "training.epochs=1")
    first = invoke("train", run, "--resume", "-q", "--set", "training.epochs=2", "--json")
    assert json.loads(first.stdout)["epochs"] == 2
    second = invoke("train", "--resume", "--out", run, "-q", "--json")
    assert json.loads(second.stdout)["epochs"] == 2
    third = invoke("train", config, "--resume", "--out", run, "-q", "--json")
    assert json.loads(third.stdout)["steps"] == json.loads(second.stdout)["steps"]


LONG = "q" * 300
MISTAKES = [
    (
        ["train"],
        "cellwise: say what to train: `cellwise train CONFIG.toml` or `cellwise train RECIPE` "
        "(`cellwise recipes` lists them), or go on with a run: `cellwise train RUN --resume`",
    ),
    (
        ["train", "pronunce"],
        "cellwise: no configuration file and no recipe is called 'pronunce'. "
        "Did you mean 'pronounce'?",
    ),
    (
        ["train", "pronounce", "--resume"],
        "cellwise: there is no run pronounce, nor does --out say where one is: "
        "`cellwise train RUN --resume` goes on with the run in the folder RUN",
    ),
    (
        ["train", "pronounce", "--set", "training.epoch=3"],
        "cellwise: --set training.epoch=3: unknown key 'training.epoch'. Did you mean 'epochs'?",
    ),
    (["train", "no.toml"], "cellwise: there is no file no.toml"),
    (
        ["predict", "nowhere", "hello"],
        "cellwise: nowhere is no run folder: it holds no config.toml",
    ),
    (
        ["predict", "nowhere", "hello", "--set", "model.cell=gru"],
        "cellwise: --set model…: only decoding.KEY can be changed in a trained run",
    ),
    (
        ["init", "transduse"],
        "cellwise: no task and no recipe is called 'transduse'. Did you mean 'transduce'?",
    ),
    (
        ["cells", "lsmt"],
        "cellwise: there is no cell and no file called 'lsmt'. Did you mean 'lstm'?",
    ),
    (
        ["train", LONG],
        f"cellwise: no configuration file and no recipe is called '{LONG}'. "
        f"Recipes: {', '.join(recipe_names())}.",
    ),
    (
        ["cells", LONG],
        f"cellwise: there is no cell and no file called '{LONG}'. `cellwise cells` lists them.",
    ),
    (["predict", LONG, "x"], f"cellwise: {LONG} is no run folder: it holds no config.toml"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_message_on_standard_error(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments, status=2)
    assert result.stderr == f"{message}\n"
    assert result.stdout == ""


def test_train_refuses_a_full_folder_and_a_folder_as_configuration(config, tmp_path):
    result = invoke("train", config, "--out", tmp_path, status=2)
    assert "is not empty. Choose another --out" in result.stderr
    result = invoke("train", tmp_path, status=2)
    assert result.stderr == (
        f"cellwise: {tmp_path} is a folder, and there is no run in it: name a configuration file, "
        f"such as {tmp_path / 'mine.toml'}\n"
    )


def test_train_says_how_to_go_on_with_a_run(trained):
    result = invoke("train", trained, status=2)
    assert result.stderr == (
        f"cellwise: {trained} is a folder; to go on with the run in it, add --resume\n"
    )


def test_evaluate_prints_a_table_or_json(trained, tmp_path):
    assert invoke("evaluate", trained, "-q").stdout.startswith("  accuracy  ")
    file = tmp_path / "words.txt"
    file.write_text("aaaa bbbb")
    result = invoke("evaluate", trained, "--data", file, "--json")
    assert json.loads(result.stdout) == {"accuracy": 1.0}
    assert "accuracy" in json.loads(invoke("evaluate", trained, "--part", "dev", "--json").stdout)


def test_predict_answers_arguments_and_standard_input(trained):
    assert invoke("predict", trained, "aaaa", "bbbb").stdout == "yes\nno\n"
    assert invoke("predict", trained, "-", stdin="bbbb\r\naaaa\n").stdout == "no\nyes\n"
    assert invoke("predict", trained, stdin="bbbb").stdout == "no\n"
    loud = invoke("predict", trained, "aaaa", "--set", "decoding.shout=true")
    assert loud.stdout == "YES\n"
    assert json.loads(invoke("predict", trained, "aaaa", "--json").stdout) == {
        "word": "aaaa",
        "more": "yes",
    }


def test_predict_names_the_line_that_is_not_utf8(trained):
    result = invoke("predict", trained, "-", stdin=b"aaaa\n\xff\xfe\n", status=2)
    assert result.stdout == "yes\n"
    assert result.stderr == "cellwise: standard input, line 2: not UTF-8 text\n"


def test_predict_streams_and_ends_quietly_when_its_reader_goes(trained):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started("predict", trained, "-", **pipes) as process:
        process.stdin.write("aaaa\n")
        process.stdin.flush()
        assert process.stdout.readline() == "yes\n"  # before the input ends
        process.stdout.close()
        process.stdin.write("bbbb\n" * 5)
        process.stdin.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_predict_reads_a_file_as_standard_input(trained, tmp_path):
    (tmp_path / "words.txt").write_text("aaaa\nbbbb\n")
    with (tmp_path / "words.txt").open() as words:
        pipes = {"stdin": words, "stdout": subprocess.PIPE}
        with started("predict", trained, "-", **pipes) as process:
            assert process.communicate()[0] == "yes\nno\n"


def test_ctrl_c_saves_says_how_to_go_on_and_exits_with_130(config, tmp_path):
    run = tmp_path / "run"
    with started("train", config, "--out", run, "--set", "training.epochs=100000") as process:
        while not process.stderr.readline().startswith("epoch 3:"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait() == 130
    last = said.splitlines()[-2:]
    assert last[0].startswith("Stopped after step ")
    assert last[1] == f"  cellwise train {run} --resume"
    assert "Traceback" not in said
    result = invoke("train", run, "--resume", "-q", "--json", "--set", "training.epochs=3")
    assert json.loads(result.stdout)["epochs"] >= 3


def test_init_prints_what_train_reads(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(invoke("init", "toy").stdout)
    invoke("train", path, "--out", tmp_path / "run", "-q", "--set", "training.epochs=1")


def test_recipes_and_version_are_listed():
    assert "pronounce" in invoke("recipes").stdout
    assert invoke("version").stdout.startswith("cellwise ")


def test_an_equation_error_shows_the_place(config, tmp_path):
    arguments = ["--out", tmp_path / "run", "--set", "model.cell=h[t] = tanh("]
    result = invoke("train", config, *arguments, status=2)
    assert result.stderr.startswith("cellwise: line 1, column ")
    assert "Traceback" not in result.output


def test_a_cell_name_too_long_for_a_file_is_no_cell(config, tmp_path):
    result = invoke("train", config, "--set", f"model.cell={LONG}", status=2)
    assert result.stderr.startswith(f"cellwise: '{LONG}' is no cell of the zoo, and there is no")


def test_an_impossible_run_folder_is_said(config):
    folder = config / "sub"
    result = invoke("train", config, "--out", folder, status=2)
    assert result.stderr == f"cellwise: {folder} cannot be the run folder: Not a directory\n"


def test_a_failure_to_write_is_one_message(config, tmp_path, monkeypatch):
    def full(_path, _content):
        raise OSError(28, "No space left on device", "it")

    monkeypatch.setattr("cellwise.training.checkpoints.write_atomically", full)
    result = invoke("train", config, "--out", tmp_path / "run", status=2)
    assert result.stderr == "cellwise: it: No space left on device\n"


def test_a_closed_standard_input_is_said(trained, monkeypatch):
    monkeypatch.setattr("cellwise.apps.inputs.sys.stdin", None)
    with pytest.raises(ConfigError) as caught:
        input_lines(["-"])
    assert str(caught.value) == "standard input is closed; give a TEXT to answer"


def test_what_json_cannot_say_is_null(trained, monkeypatch):
    monkeypatch.setattr(Toy, "evaluate", lambda *_, **__: {"accuracy": float("inf")})
    found = invoke("evaluate", trained, "--json", "-q")
    assert json.loads(found.stdout) == {"accuracy": None}


def test_a_mark_of_utf_8_is_no_part_of_the_first_line(trained):
    found = invoke("predict", trained, "-", stdin="\ufeffab\nab\n", status=0)
    assert found.stdout.splitlines() == ["no", "no"]


def test_figures_in_percent_are_shown_as_they_are():
    found = metric_table({"complete_match": 50.0, "complete_match_40": 50.0, "exact_match": 0.5})
    assert [line.split(maxsplit=1)[1] for line in found.splitlines()] == [
        "50.00",
        "50.00",
        "50.00 %",
    ]


@pytest.mark.parametrize(
    ("texts", "error", "said"),
    [
        (
            ["a", "-"],
            ConfigError,
            "- stands for the lines of standard input, and so for itself alone",
        ),
        (["a", "h\udce4llo"], DataError, "'h?llo': not UTF-8 text"),
    ],
)
def test_texts_that_are_none(texts, error, said):
    with pytest.raises(error) as caught:
        input_lines(texts)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            UnicodeEncodeError("utf-8", "a\udce4", 1, 2, "surrogates not allowed"),
            "cellwise: a name or a text holds bytes that are not UTF-8, or LC_ALL says that names "
            "here are in utf-8\n",
        ),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 4 bytes"),
            "cellwise: there is not enough memory for so large a model\n",
        ),
    ],
)
def test_what_a_person_can_mend_is_one_message(trained, monkeypatch, raised, said):
    def fail(*_, **__):
        raise raised

    monkeypatch.setattr("cellwise.training.run.load_run", fail)
    assert invoke("evaluate", trained, status=2).stderr == said


def test_a_ctrl_c_that_python_drops_comes_again():
    """As one that arrives in the callback of a weak reference."""
    code = """
import sys, weakref
from cellwise.apps import cli
cli.app = lambda: None
cli.main()
class Thing: pass
def drop(_): raise KeyboardInterrupt
thing = Thing()
reference = weakref.ref(thing, drop)
try:
    del thing
    while True:
        pass
except KeyboardInterrupt:
    print("again")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("again\n", "")
