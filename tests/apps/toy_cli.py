"""The command line with the toy tasks, for tests that need a process of its own.

With TOY_INTERRUPT_AT in the environment, that call of the first process's loss sends Ctrl-C to the
process that started it.
"""

import os
import signal

from cellwise.apps.cli import main
from cellwise.tasks import TASKS
from tests.training.toy import Carrying, Toy


class Interrupted(Carrying):
    """A task that is stopped in the middle."""

    def loss(self, model, batch):
        self.calls += 1
        first = os.environ.get("RANK") == "0"
        if first and os.environ.get("TOY_INTERRUPT_AT") == str(self.calls):
            os.kill(os.getppid(), signal.SIGINT)
        return super().loss(model, batch)


# Processes that this one starts import it anew, so this stands outside of the condition below.
TASKS.update(toy=Toy, carrying=Interrupted)

if __name__ == "__main__":
    main()
