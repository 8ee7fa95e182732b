"""What endpoints say instead of a reply, in each vendor's shape, and what of the request they refuse by it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

LONGEST_DETAIL = 4_000  # characters; what is longer repeats the request
PARAMETERS = ("stream_options", "stream", "temperature", "seed", "reasoning_effort", "max_completion_tokens")


@dataclass(frozen=True)
class Refusal:
    """An error in HTTP, or one in the place of a reply. `detail` is all that it says, `filtered` by what filter."""

    status: int
    headers: Mapping[str, str]
    detail: str
    code: str = ""
    param: str = ""
    filtered: str = ""
    said_instead: str = ""  # what the model said where the vendor could not make a reply of it

    @property
    def words(self) -> str:
        """All there is to recognise it by."""
        return f"{self.code} {self.detail}"


def read_refusal(status: int, headers: Mapping[str, str], content: bytes) -> Refusal:
    """An answer with another status than 200."""
    text = content.decode("utf-8", "replace")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    return _refusal(status, headers, data, text)


def refusal_within(data: Any, headers: Mapping[str, str], *, status: int | None = None) -> Refusal | None:
    """An error that came with status 200; None where `data` is none, or where nothing tells what kind it is.

    `status` is what it counts as where it names none.
    """
    error = _error_of(data)
    if not error:
        return None
    told = _mapping(error)
    named = [told.get("code"), told.get("status"), _mapping(data).get("code"), _mapping(data).get("status_code")]
    numbers = [int(str(value)) for value in named if re.fullmatch(r"[45]\d\d", str(value))]
    kind = f"{told.get('type')} {told.get('code')} {told.get('status')}".lower()
    by_kind = next((number for words, number in _STATUS_OF_KIND if re.search(words, kind)), status)
    found = numbers[0] if numbers else by_kind
    return _refusal(found, headers, data, str(error)) if found else None


_STATUS_OF_KIND = (
    ("quota|rate.?limit|resource_exhausted", 429),
    ("overloaded|unavailable", 529),
    ("authentication|invalid_api_key", 401),
    ("permission", 403),
    ("context|content_filter|invalid", 400),
    ("server_error|internal|api_error", 500),
)


def _refusal(status: int, headers: Mapping[str, str], data: Any, text: str) -> Refusal:
    error = _error_of(data)
    told = _mapping(error)
    message = told.get("message") or (error if isinstance(error, str) else _validation(error)) or text
    raw = _mapping(told.get("metadata")).get("raw")  # what a router's provider said
    details = told.get("details")  # where Google says how long to wait
    detail = " ".join(part if isinstance(part, str) else json.dumps(part) for part in (message, raw, details) if part)
    inner = _mapping(told.get("innererror") or told.get("inner_error"))
    filters = _mapping(inner.get("content_filter_result") or inner.get("content_filter_results"))
    return Refusal(
        status=status,
        headers=headers,
        detail=_without_markup(detail)[:LONGEST_DETAIL].encode("utf-8", "replace").decode(),
        code=" ".join(str(told[key]) for key in ("code", "type") if told.get(key)),
        param=str(told.get("param") or ""),
        filtered=", ".join(name for name, found in filters.items() if _mapping(found).get("filtered") is True),
        said_instead=str(told.get("failed_generation") or ""),
    )


def _error_of(data: Any) -> Any:
    """The part of a body that tells what is wrong, in the shapes that vendors give it."""
    if isinstance(data, list) and data:
        data = cast(list[Any], data)[0]
    body = _mapping(data)
    if body.get("error"):
        return body["error"]
    if body.get("object") == "error" or ("choices" not in body and body.get("message")):
        return body
    return body.get("detail") if "choices" not in body else None


def _validation(errors: Any) -> str:
    """The places and words of pydantic's errors, without the request that they repeat."""
    told = [_mapping(error) for error in cast(list[Any], errors)] if isinstance(errors, list) else []
    return "; ".join(f"{_place(error.get('loc'))}: {error['msg']}" for error in told if error.get("msg"))


def _place(loc: Any) -> str:
    return ".".join(map(str, cast(list[Any], loc))) if isinstance(loc, list) else str(loc)


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def is_markup(text: str) -> bool:
    return bool(re.match(r"\s*<(!doctype|html|head|body|\?xml)", text, re.IGNORECASE))


def _without_markup(text: str) -> str:
    if not is_markup(text):
        return text
    title = re.search(r"<title[^>]*>([^<]*)", text, re.IGNORECASE)
    return f"a web page: {title[1].strip()}" if title and title[1].strip() else "a web page"


# What was refused

_NO_PARAMETER = re.compile(
    r"support|unknown|unrecogni[sz]ed|not permitted|not allowed|forbidden|extra|unexpected|invalid|not available"
    r"|deprecated|must be verified|not enabled|disabled",
    re.IGNORECASE,
)
TOO_MUCH = re.compile(r"too (large|big|high)|at most|less than|greater than|exceed|maximum value", re.IGNORECASE)
_IN_A_SCHEMA = r"schema|grammar|guided|additionalProperties|anyOf|\$(ref|defs)\b|too many (properties|states|enum)"
_NO_FORMAT = {
    "json_schema": re.compile(rf"response_?format|structured.?output|\bstrict\b|{_IN_A_SCHEMA}", re.IGNORECASE),
    "tools": re.compile(rf"\btools?\b|tool_?(choice|use|calls?)|function|next_step|{_IN_A_SCHEMA}", re.IGNORECASE),
    "json_object": re.compile(r"response_?format|json_?(object|schema|mode)|structured.?output|grammar", re.IGNORECASE),
}
_FORMAT_BREAKS = re.compile(  # of what a server calls its own failure, only these words are about the format
    r"grammar|json_?schema|response_?format|guided|tools param|tool.{0,40}support|support.{0,40}\btool", re.IGNORECASE
)


def refused_parameter(refusal: Refusal, body: Mapping[str, Any]) -> str:
    """The parameter of `body` that the endpoint does not take; "" where that is not what it says."""
    if refusal.status not in (400, 404, 422, 500, 501):
        return ""
    for name in PARAMETERS:
        words = r"\bstream(ing)?\b" if name == "stream" else rf"\b{name}\b"
        if name not in body or not (refusal.param == name or re.search(words, refusal.detail, re.IGNORECASE)):
            continue
        if name == "stream" and refusal.status == 500:  # a stream that broke behind a gateway
            continue
        bounded = name == "max_completion_tokens" and TOO_MUCH.search(refusal.detail)
        return name if _NO_PARAMETER.search(refusal.words) and not bounded else ""
    return ""


def refuses_format(refusal: Refusal, wanted: str, model: str) -> bool:
    """Whether it is the format `wanted`, or the schema in it, that the endpoint does not take."""
    if refusal.status not in (400, 404, 422, 500, 501) or wanted not in _NO_FORMAT or is_too_long(refusal):
        return False
    words = refusal.words.replace(model, "")  # a model may be called after what it can do
    if refusal.status == 500:
        return bool(_FORMAT_BREAKS.search(words))
    param = re.split(r"[.\[]", refusal.param)[0]
    named = param in (("tools", "tool_choice") if wanted == "tools" else ("response_format",))
    return named or bool(_NO_FORMAT[wanted].search(words))


_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|context limit|maximum context|too many tokens|(prompt|input) is too long"
    r"|exceeds? the available|token count.{0,40}exceeds|tokens. must be <=|reduce the length of the messages"
    r"|too large for model|maximum prompt length|request exceeded model token limit|range of input length"
    r"|prompt exceeds max|cannot exceed \d+ tokens|keep the first \d+ tokens|input tokens? exceed",
    re.IGNORECASE,
)


def is_too_long(refusal: Refusal) -> bool:
    if refusal.status == 413 or (refusal.status == 429 and "request too large" in refusal.detail.lower()):
        return True  # the second is more than may be sent in a minute: waiting does not make it less
    asks_less = re.search(r"max_(completion_)?tokens is too large", refusal.detail)
    return refusal.status in (400, 422, 500) and bool(_TOO_LONG.search(refusal.words)) and not asks_less
