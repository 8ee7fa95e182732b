"""What went wrong with an endpoint: one line for a person, and whether to try again."""

import os
import re
from urllib.parse import urlsplit, urlunsplit

from autoagent.errors import ContextTooLong, ModelUnavailable
from autoagent.models.endpoint import Endpoint
from autoagent.models.vendors import TOO_MUCH, Refusal, is_too_long
from autoagent.models.waits import wait_asked

DETAIL_CHARS = 300
WEB_PAGE = "a web page, not JSON. Is --base-url right? It usually ends in /v1"

_NO_CREDIT = re.compile(
    r"insufficient_(quota|balance|credits)|insufficient (balance|credits?|funds)|credit balance"
    r"|billing_(hard_limit|not_active)|exceeded your current quota|out of credits|requires more credits",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|model.{0,80}(not found|does not exist|not exist|is not available)|not a valid model|invalid model"
    r"|deployment_?not_?found|deployment for this resource does not exist|no such model|unknown model",
    re.IGNORECASE | re.DOTALL,
)
_BAD_KEY = re.compile(r"invalid_api_key|api key not valid|incorrect api key|invalid api key", re.IGNORECASE)
_FILTERED = re.compile(
    r"content_?(filter|policy_violation)|responsibleaipolicy|content management policy|data_inspection_failed|flagged",
    re.IGNORECASE,
)


def explain_refusal(refusal: Refusal, endpoint: Endpoint) -> ModelUnavailable | ContextTooLong:
    """One line for a person, and whether trying again can help."""
    status, host, model, words = refusal.status, endpoint.host, endpoint.model, refusal.words
    short = " ".join(endpoint.masked(refusal.detail).split())[:DETAIL_CHARS]
    wait = wait_asked(refusal)
    if is_too_long(refusal):
        return ContextTooLong(f"{host}: the request is too long for {model}: {short}")
    if status == 402 or (status in (400, 403, 429) and _NO_CREDIT.search(words) and wait is None):
        return _final(f"{host}: the account has no credit left ({status}): {short}")
    if status in (400, 403) and (refusal.filtered or _FILTERED.search(words)):
        why = endpoint.masked(refusal.filtered) or short
        return _final(f"the content filter of {host} refused the request ({status}): {why}")
    if status == 401 or (status in (400, 403) and _BAD_KEY.search(words)):
        if endpoint.api_key.strip():
            return _final(f"{host} refused the key ({status}). Check OPENAI_API_KEY: is it a key of {host}?")
        return _final(f"{host} wants a key ({status}). Set OPENAI_API_KEY")
    if status in (400, 404) and _NO_MODEL.search(words):
        pull = f". Run: ollama pull {model}" if "try pulling it" in words else ""
        return _final(f"{host} does not know the model {model!r} ({status}): {short}{pull}")
    if status in (404, 405):
        ends = "…/deployments/NAME?api-version=…" if endpoint.azure else "/v1"
        return _final(
            f"{host} does not know the model {model!r} or this address ({status}): {short}. "
            f"Is --base-url right? It usually ends in {ends}"
        )
    if status == 403:
        return _final(f"{host} does not allow this ({status}): {short}")
    if status == 407:
        return _wants_proxy_password(host)
    if 300 <= status < 400:
        target = endpoint.masked(_target(refusal))
        return _final(f"{host} sends on to {target} ({status}). Set --base-url to the address that answers")
    if status == 429:
        asked = f", asks to wait {wait:.0f} s" if wait else ""
        return ModelUnavailable(f"rate limit of {host}{asked}", retry_after_s=wait, may_be_billed=False)
    if status in (503, 529):
        return ModelUnavailable(f"{host} is overloaded ({status}): {short}", retry_after_s=wait)
    if status in (408, 409, 425) or status >= 500:
        return ModelUnavailable(f"{host}: {status} {short}", retry_after_s=wait)
    if re.search(r"max_(completion_)?tokens", words) and TOO_MUCH.search(words):
        return _final(f"{host} refused the length of the reply ({status}): {short}. Lower reply_tokens in the settings")
    return _final(f"{host} refused the request ({status}): {short}")


def explain_broken(error: Exception, endpoint: Endpoint) -> ModelUnavailable:
    """Why there was no whole answer at all."""
    host = endpoint.host
    short = endpoint.masked(" ".join(str(error).split()))[:DETAIL_CHARS]
    causes = " ".join(f"{type(e).__name__} {e}" for e in _causes(error))
    if "CERTIFICATE_VERIFY_FAILED" in causes or "SSLCertVerificationError" in causes:
        return _final(_certificate(causes, host))
    if re.search(r"WRONG_VERSION_NUMBER|record layer failure|wrong version number", causes):
        return _final(f"{host} does not speak TLS. Should --base-url begin with http:// instead?")
    if "ProxyError" in causes and "407" in causes:
        return _wants_proxy_password(host)
    if isinstance(error, OSError) and (pem := os.environ.get("SSL_CERT_FILE")):
        return _final(f"the certificates of SSL_CERT_FILE={pem} can't be read: {short}")
    if "ProxyError" in causes:
        return ModelUnavailable(f"the proxy of HTTPS_PROXY does not let us reach {host}: {short}", may_be_billed=False)
    if re.search(r"ConnectError|ConnectTimeout", causes):
        return ModelUnavailable(
            f"nothing answers at {endpoint.address}. {_hint(causes, endpoint)}", may_be_billed=False
        )
    if isinstance(error, (TypeError, ValueError, ImportError)) or re.search(r"InvalidURL|UnsupportedProtocol", causes):
        return _final(f"the request to {host} could not be made: {short}")
    return ModelUnavailable(f"the connection to {host} broke: {short}")


def _certificate(causes: str, host: str) -> str:
    if "expired" in causes:
        return f"the certificate of {host} has expired, or the clock of this machine is wrong"
    if re.search(r"hostname mismatch|doesn't match|not valid for", causes, re.IGNORECASE):
        return f"the certificate at {host} belongs to another host. Is --base-url right, or a proxy between?"
    return (
        f"the certificate of {host} is signed by an unknown authority (a company proxy?). "
        "Set SSL_CERT_FILE=/path/ca.pem"
    )


def _hint(causes: str, endpoint: Endpoint) -> str:
    if endpoint.here:
        return "Is the server running?"
    proxy = next((name for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY") if os.environ.get(name)), "")
    if proxy:
        return f"Is the proxy of {proxy} right?"
    if "gaierror" in causes or "Name or service" in causes or "Temporary failure in name" in causes:
        return "No such host, or no network. A company proxy? Set HTTPS_PROXY"
    return "Is the server running?" if endpoint.base_url.startswith("http:") else "A company proxy? Set HTTPS_PROXY"


def _wants_proxy_password(host: str) -> ModelUnavailable:
    return _final(
        f"the proxy before {host} wants a name and a password (407). Set HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"
    )


def _final(words: str) -> ModelUnavailable:
    return ModelUnavailable(words, retryable=False, may_be_billed=False)


def _target(refusal: Refusal) -> str:
    """Where a redirect leads, without what may be secret in it."""
    try:
        parts = urlsplit(refusal.headers.get("location") or "")
    except ValueError:
        return "another address"
    return (
        urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")) or "another address"
    )


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
