"""`python -m autoagent.testing SCRIPT.json`: a model to try things against by hand.

The script is a JSON list; each request plays the next item. The items, with an example each:

  a reply's text             "Hello."
  a thought                  {"thoughts": {"text": "Look."}, "commands": [{"name": "list_files", "args": {}}]}
  a reply with its fields    {"reply": {"content": "Hel", "finish_reason": "length"}}
  an error                   {"failure": {"status": 429, "message": "slow down", "retry_after": 2}}
  a request too long         {"context_overflow": true}
  no choice in the reply     {"empty_choices": true}
  a stream without [DONE]    {"no_done": {"content": "Hel"}}
  a connection that breaks   {"cut": {"content": "Hello.", "after_bytes": 40}}
  a connection that stalls   {"stall": {"content": "Hello.", "after_bytes": 40}}
  a slow reply, by bytes     {"drip": {"content": "Hello.", "every_s": 0.1, "chunk": 4}}
  silence                    {"hang": true}
  a web page                 {"html": {"text": "<h1>Log in</h1>"}}
  any body                   {"raw": {"content": "{]"}}
  a parameter refused        {"refuses_parameter": {"name": "response_format", "item": "Hello."}}
  an item again and again    {"repeat": {"item": "Hello.", "times": 3}}
"""

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
    parser = argparse.ArgumentParser(
        prog="python -m autoagent.testing",
        description="Play a script of model replies.",
        epilog=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
