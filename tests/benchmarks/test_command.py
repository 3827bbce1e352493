import sys

import pytest
import typer

from benchmarks.command import run_command
from cellwise.errors import DataError


def test_what_a_person_can_mend_is_said_in_one_line(monkeypatch, capsys):
    def main(path: str, times: int = 1) -> None:
        raise DataError(f"{path * times}: there is no such file")

    monkeypatch.setattr(sys, "argv", ["bench", "x", "--times", "2"])
    with pytest.raises(SystemExit) as stop:
        run_command(main)
    assert stop.value.code == 2
    assert capsys.readouterr().err == "benchmarks: xx: there is no such file\n"


def test_what_goes_well_ends_well(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench"])
    with pytest.raises(SystemExit) as stop:
        run_command(lambda: typer.echo("done"))
    assert (stop.value.code, capsys.readouterr().out) == (0, "done\n")
