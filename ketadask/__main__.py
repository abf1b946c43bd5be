"""``python -m ketadask``: the same as the command ``ketadask``."""

from ketadask.cli.main import main

if __name__ == "__main__":
    main()
