"""autoagent: an autonomous agent whose results can be checked."""

__version__ = "0.1.0"
