"""Lets `python -m inventory` be the `hikiate` command; the launcher starts it that way."""

from inventory.cli import main

if __name__ == "__main__":
    main()
