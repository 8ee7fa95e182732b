"""How long an endpoint asks to wait, in a header of any vendor or in its words."""

import email.utils
import re
import time
from collections.abc import Mapping

from autoagent.models.vendors import Refusal

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+"


def wait_asked(refusal: Refusal) -> float | None:
    """Seconds that the server asks to wait: in a header, or in words."""
    headers = refusal.headers
    milliseconds = _number(_header(headers, "retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1_000
    if (asked := _retry_after(_header(headers, "retry-after"))) is not None:
        return asked
    resets = [
        _duration(_header(headers, f"x-ratelimit-reset-{kind}"))
        for kind in ("requests", "tokens")
        if _header(headers, f"x-ratelimit-remaining-{kind}") == "0"  # the others say when all is there again
    ]
    known = [seconds for seconds in resets if seconds is not None]
    if known and refusal.status == 429:
        return max(known)
    said = re.search(rf'(?:try again in|retry in|"retryDelay":\s*")\s*({_DURATION})', refusal.detail, re.IGNORECASE)
    return _duration(said[1]) if said else None


def _retry_after(value: str) -> float | None:
    """RFC 9110 allows a number or a date."""
    number = _number(value)
    if number is not None or not value:
        return number
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _duration(value: str) -> float | None:
    """Seconds of `6m0s`, `120ms` or `1.5`."""
    if not re.fullmatch(_DURATION, value):
        return _number(value)
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", value))


def _number(value: str) -> float | None:
    return max(0.0, float(value)) if re.fullmatch(r"-?\d{1,9}(\.\d+)?", value.strip()) else None


def _header(headers: Mapping[str, str], name: str) -> str:
    return headers.get(name) or ""
