"""`autoagent` and `python -m autoagent`."""

import sys


def main() -> None:
    if sys.argv[1:] in (["--version"], ["-V"]):  # nothing is imported for it
        from autoagent import __version__

        sys.stdout.write(f"autoagent {__version__}\n")
        return
    from autoagent.cli.main import run

    run()


if __name__ == "__main__":
    main()
