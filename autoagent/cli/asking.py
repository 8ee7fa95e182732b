"""A yes or no of the person at the terminal, before what can't be taken back."""

import sys

YES = {"y", "yes", "ok", "ㅛ", "네", "예"}


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def says_yes(question: str) -> bool:
    """Whether the answer to `question`, which ends with y/N, is a yes."""
    sys.stderr.write(f"{question} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in YES
