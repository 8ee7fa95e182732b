"""`python -m autoagent.testing SCRIPT.json`: a model to try things against by hand."""

import argparse
import json
import signal
import sys
from pathlib import Path

from autoagent.errors import ConfigError

from .script import script_from_json
from .server import ModelServer

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Print the base URL, then play the script until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m autoagent.testing", description="Play a script of model replies.")
    parser.add_argument("script", type=Path, help="a JSON list of replies, thoughts and faults")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    args = parser.parse_args()
    try:
        script = script_from_json(json.loads(args.script.read_bytes()))
    except (OSError, ValueError, ConfigError) as error:
        parser.error(f"{args.script}: {error}")
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # before the server's thread, which inherits it
    with ModelServer(script, port=args.port, allow_overrun=True) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        signal.sigwait(_SIGNALS)


if __name__ == "__main__":
    main()
