from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cellwise.training.tune_workers import HAS_LOCKS, Workers

ROOT = Path(__file__).parents[2]
WAITING = """
import sys
from pathlib import Path
from cellwise.training.tune_workers import Workers
workers = Workers(Path(sys.argv[1]))
print(workers.name, flush=True)
with workers.at_work():
    with workers.turn():
        print("in turn", flush=True)
    sys.stdin.read()
"""


def waiting(folder):
    """A worker in a process of its own, until its standard input is closed."""
    command = [sys.executable, "-c", WAITING, str(folder)]
    pipe = subprocess.PIPE
    kind = subprocess.Popen[str]
    return kind(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe)


def other(folder, *, killed):
    """The name of a worker of another process, and whether it is dead while it waits and after."""
    workers = Workers(folder)
    with waiting(folder) as process:
        name = process.stdout.readline().strip()
        assert process.stdout.readline() == "in turn\n"
        before = workers.is_dead(name)
        if killed:
            process.kill()
        process.communicate()
    return name, before, workers.is_dead(name)


@pytest.mark.skipif(not HAS_LOCKS, reason="this system has no locks of files")
@pytest.mark.parametrize("killed", [True, False])
def test_a_worker_is_dead_once_its_process_is_gone(tmp_path, killed):
    name, before, after = other(tmp_path, killed=killed)
    assert not before
    assert after
    assert (tmp_path / "workers" / name).exists() == killed
    with Workers(tmp_path).at_work():
        assert not (tmp_path / "workers" / name).exists()


def test_a_worker_knows_itself_alive_and_nothing_of_other_machines(tmp_path):
    workers = Workers(tmp_path)
    with workers.at_work():
        assert not workers.is_dead(workers.name)
        assert not workers.is_dead("elsewhere-1-abc")
        assert [path.name for path in (tmp_path / "workers").iterdir()] == [workers.name]
    assert not (tmp_path / "workers").exists()


@pytest.mark.skipif(not HAS_LOCKS, reason="this system has no locks of files")
def test_one_decides_at_a_time(tmp_path):
    workers = Workers(tmp_path)
    with workers.at_work(), waiting(tmp_path) as process:
        with workers.turn():
            assert process.stdout.readline()
            assert _waits_for(tmp_path / ".turn", process)
        assert process.communicate()[0] == "in turn\n"


def _waits_for(path, process):
    """Whether the system lists the process as one that waits for the lock of a file."""
    if not Path("/proc/locks").exists():
        pytest.skip("this system does not list its locks")
    inode = str(path.stat().st_ino)
    while process.poll() is None:
        for line in Path("/proc/locks").read_text().splitlines():
            if "->" in line and f":{inode} " in line and f" {process.pid} " in line:
                return True
    return False
