"""E-mail: who, when and about what, the text of the message, and what is attached."""

from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.policy import default

from autoagent.errors import CommandError
from autoagent.loaders.document import Document, amount
from autoagent.loaders.text import decode

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_KOREAN = ("euc-kr", "euc_kr", "ks_c_5601-1987", "ksc5601", "windows-949")  # CP949 holds them all, and more


def read(content: bytes, *, name: str, content_type: str = "") -> Document:
    message = BytesParser(policy=default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    if not any(message.get(header) for header in _HEADERS):
        raise CommandError(f"{name} is no e-mail: it has none of the headers {', '.join(_HEADERS)}.")
    notes: list[str] = []
    body = message.get_body(("plain", "html"))
    lines = [f"{header}: {_header(message, header)}" for header in _HEADERS if message.get(header)]
    lines += ["", *_body(body, name, notes)]
    attached = [_attachment(part) for part in _leaves(message) if part is not body and _is_attached(part)]
    lines += ["", "[attachments]", *attached] if attached else []
    if message.defects:
        notes.append("The message is not well formed; parts may be missing.")
    count = f", {amount(len(attached), 'attachment')}" if attached else ""
    return Document("\n".join(lines), f"e-mail{count}", tuple(notes))


def _header(message: EmailMessage, name: str) -> str:
    raw = next((value for header, value in message.raw_items() if header.lower() == name.lower()), "")
    if isinstance(raw, str) and not raw.isascii():  # bytes in an encoding that the message does not name
        return " ".join(decode(raw.encode("utf-8", "surrogateescape")).text.split())
    return " ".join(str(message[name]).split())


def _body(body: MIMEPart | None, name: str, notes: list[str]) -> list[str]:
    if body is None:
        notes.append("The message has no text.")
        return []
    content = _bytes(body)
    if body.get_content_subtype() == "html":
        from autoagent.loaders.html import read as read_html

        charset = body.get_content_charset() or ""
        page = read_html(content, name=name, content_type=f"text/html; charset={charset}" if charset else "text/html")
        notes += ["The message is HTML only; this is its text.", *page.notes]
        return page.text.split("\n")
    return _text(content, body.get_content_charset() or "").split("\n")


def _bytes(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(content: bytes, charset: str) -> str:
    charset = "cp949" if charset.lower() in _KOREAN else charset
    try:
        text = content.decode(charset or "ascii")
    except (LookupError, UnicodeDecodeError):
        text = decode(content).text if content else ""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def _leaves(message: MIMEPart) -> list[MIMEPart]:
    """Every part that holds no parts; a message within the message is one."""
    found: list[MIMEPart] = []
    waiting = [message]
    while waiting:
        part = waiting.pop()
        children = list(part.iter_parts())
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            waiting += reversed(children)
        else:
            found.append(part)
    return found


def _is_attached(part: MIMEPart) -> bool:
    return bool(part.is_attachment() or part.get_filename() or part.get_content_maintype() != "text")


def _attachment(part: MIMEPart) -> str:
    kind = part.get_content_type()
    if kind == "message/rfc822":
        about = next((str(inner["Subject"] or "") for inner in part.iter_parts()), "")
        return f"- {part.get_filename() or about or 'a message'}, {kind}"
    return f"- {' '.join((part.get_filename() or 'without a name').split())}, {kind}, {len(_bytes(part)):,} bytes"
