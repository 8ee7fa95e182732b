"""Where a model is asked: the address as its vendor wants it, the key, and how both are shown to people."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit, urlunsplit

from autoagent import __version__

# Microsoft's hosts, the sovereign clouds and its API gateway included, take the key in a header of their own.
_AZURE = re.compile(r"(\.azure\.(com|us|cn)|\.azure-api\.(net|us|cn))$")


@dataclass(frozen=True)
class Endpoint:
    """One model at one address. `base_url` as a person wrote it: with or without a slash, a query, the last path."""

    model: str
    base_url: str
    api_key: str = field(repr=False)

    @property
    def url(self) -> str:
        """Where a chat completion is posted to; a query, such as Azure's `api-version`, stays."""
        parts = self._parts
        path = parts.path.rstrip("/").removesuffix("/chat/completions")
        if self.azure and path in ("", "/openai"):
            path = "/openai/v1"
        return urlunsplit(parts._replace(path=f"{path}/chat/completions", fragment=""))

    @property
    def headers(self) -> Mapping[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # a gateway that compresses holds a stream back until its buffer is full
            "User-Agent": f"autoagent/{__version__}",
        }
        key = self.api_key.strip()
        if key and self.azure and not key.startswith("eyJ"):  # a token of Entra ID is sent as everybody's key is
            headers["api-key"] = key
        elif key:
            headers["Authorization"] = f"Bearer {key}"
        return headers

    @property
    def host(self) -> str:
        """Host and port, without a user and password."""
        return self._parts.netloc.rpartition("@")[2] or self.base_url

    @property
    def address(self) -> str:
        """`base_url` for people: without what may be secret in it."""
        return urlunsplit(self._parts._replace(netloc=self.host, query="", fragment=""))

    @property
    def azure(self) -> bool:
        return bool(_AZURE.search(self._hostname))

    @property
    def here(self) -> bool:
        """Whether the address is this machine's own."""
        return is_loopback(self._hostname)

    def masked(self, text: str) -> str:
        """Without the key, also where a server echoes it or a part of it."""
        if key := self.api_key.strip():
            text = text.replace(key, "***")
        return re.sub(r"\bsk-[\w*.-]{4,}", "***", text)

    @property
    def _parts(self) -> SplitResult:
        try:
            return urlsplit(self.base_url)
        except ValueError:  # no address at all; who connects to it says so
            return SplitResult("", "", self.base_url, "", "")

    @property
    def _hostname(self) -> str:
        return (self._parts.hostname or "").rstrip(".")


def is_loopback(hostname: str) -> bool:
    try:
        return hostname == "localhost" or ip_address(hostname).is_loopback
    except ValueError:
        return False
