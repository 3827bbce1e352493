"""The command line with the toy task, for tests that need a process of its own."""

from cellwise.apps.cli import main
from cellwise.tasks import TASKS
from tests.training.toy import Toy

if __name__ == "__main__":
    TASKS["toy"] = Toy
    main()
