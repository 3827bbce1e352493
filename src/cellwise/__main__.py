"""`python -m cellwise`: the command line, where the script `cellwise` is not on the path."""

from cellwise.apps.cli import main

if __name__ == "__main__":
    main()
