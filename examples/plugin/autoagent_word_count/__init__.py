"""A plugin for autoagent: one typed function becomes one command that the model may call."""

from collections import Counter

from autoagent.env import Env, WorkspacePath
from autoagent.loaders.text import decode
from autoagent.registry import command


@command("reads")
def count_words(env: Env, path: WorkspacePath, most_frequent: int = 10) -> str:
    """Count the words of a text file, and list the most frequent ones with how often each stands."""
    words = decode(env.files.read_bytes(path)).text.lower().split()
    counted = Counter(word.strip(".,;:!?\"'()[]") for word in words)
    counted.pop("", None)
    lines = [f"{word}\t{times}" for word, times in counted.most_common(max(1, most_frequent))]
    return "\n".join([f"{path}: {len(words)} words, {len(counted)} different ones", *lines])


COMMANDS = [count_words]
