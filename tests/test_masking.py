"""No key, token or password in anything that is kept, shown or sent; ordinary text stays as it is."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import UNPROVEN

from autoagent.masking import Mask, secrets_in, secrets_of_address
from autoagent.memory import clip
from autoagent.terminal.layout import line
from autoagent.terminal.look import Look
from autoagent.testing import Failure, ModelServer, Request, done, thought

KEY = "sk-canary-0123456789abcdef"
TOKEN = 'tok/"canary"+한글\\9f8e7d6c'  # needs escaping wherever that is done
PASSWORD = "pa55-canary-w0rd"
PROXY_PASSWORD = "pr0xy-canary-9"
CANARIES = {"key": KEY, "token": TOKEN, "password": PASSWORD, "proxy": PROXY_PASSWORD}


def masked(text: str, *secrets: str) -> str:
    return Mask(secrets)(text)


@pytest.mark.parametrize(
    "spell",
    [
        str,
        lambda secret: json.dumps(secret)[1:-1],
        lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
        quote,
        lambda secret: quote(secret, safe=""),
        quote_plus,
    ],
    ids=["plain", "json in ascii", "json", "url", "url, all", "form"],
)
@pytest.mark.parametrize("secret", CANARIES.values(), ids=CANARIES)
def test_a_secret_is_taken_out_however_it_is_escaped(spell: Callable[[str], str], secret: str) -> None:
    assert masked(f"before {spell(secret)} after", secret) == "before *** after"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("after", ["", "z", "zz", ":"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_taken_out_of_base64_wherever_it_begins(
    before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    coded = encode(f"{before}{TOKEN}{after}".encode()).decode()
    left = masked(coded, TOKEN).replace("***", "")
    assert len(left) <= 4 * (len(before + after) // 3 + 3)


@given(st.text(min_size=8, max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_no_secret_is_left_in_any_text(secret: str, before: str, after: str) -> None:
    mask = Mask([secret])
    assert secret not in mask(before + secret + after).replace("***", "\0")
    assert json.dumps(secret)[1:-1] not in mask(json.dumps([before, secret, after])).replace("***", "\0")


@given(st.text(max_size=200))
def test_a_text_without_secrets_is_the_same_object(text: str) -> None:
    assert Mask([KEY, TOKEN])(text) is text


def test_a_longer_secret_is_not_left_in_part_by_a_shorter_one_in_it() -> None:
    assert masked("x abcd1234efgh5678 y", "abcd1234", "abcd1234efgh5678") == "x *** y"


@given(st.integers(min_value=0, max_value=200))
def test_a_clipped_text_keeps_less_than_half_of_a_long_secret(before: int) -> None:
    shown = masked(clip("x" * before + KEY + "y" * 3_000, 100, len), KEY)
    half = len(KEY) // 2 + 1
    assert not any(KEY[at : at + half] in shown for at in range(len(KEY) - half + 1))


def test_what_is_learned_later_holds_for_what_has_the_mask_already() -> None:
    mask = Mask()
    assert mask(KEY) == KEY
    mask.learn([KEY, ""])
    assert mask(f"the key {KEY}") == "the key ***"


@pytest.mark.parametrize(
    "name",
    ["OPENAI_API_KEY", "GITHUB_TOKEN", "client_secret", "DB_PASSWORD", "SMTP_PASSWD", "AWS_CREDENTIALS", "MYSQL_PWD"],
)
def test_a_value_is_a_secret_where_its_name_says_so(name: str) -> None:
    assert set(secrets_in({name: "9f8e7d6c5b4a"})) == {"9f8e7d6c5b4a"}


@pytest.mark.parametrize("value", ["20250131", "31415926535", "/bQ9zX81+not/a/path", "correct-horse-battery-staple"])
def test_digits_words_and_slashes_may_be_a_secret(value: str) -> None:
    assert list(secrets_in({"SOME_SECRET": value})) == [value]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "ollama"),
        ("OPENAI_API_KEY", "lm-studio"),
        ("OPENAI_API_KEY", "sk-no-key-required"),
        ("LLM_API_KEY", "x-123"),
        ("TOKENIZERS_PARALLELISM", "true"),
        ("KEYBOARD_LAYOUT", "international"),
        ("SSH_KEY_PATH", "/usr/share/keys/id_ed25519"),
        ("GPG_KEY_FILE", "~/.gnupg/secring.gpg"),
        ("SECRET_FOLDER", "./secrets/of/mine"),
        ("TOKEN_RATE", "0.12345678"),
        ("OLDPWD", "/somewhere/1234567890"),
        ("AUTOAGENT_LIMITS_TOKENS", "10000000"),
        ("TOKEN_URL", "https://auth.example.org/oauth/token"),
        ("HOME", "a1b2c3d4e5f6"),
        ("STATUS_TOKEN", "unreached"),  # a word of the journal's own
    ],
)
def test_ordinary_values_are_no_secrets(name: str, value: str) -> None:
    assert list(secrets_in({name: value})) == []


def test_a_password_that_is_the_users_name_hides_no_path() -> None:
    assert list(secrets_in({"SUDO_PASSWORD": "developer1", "HOME": "/home/developer1"})) == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "DATABASE_URL", "ANYTHING"])
def test_the_password_in_an_address_is_a_secret_under_any_name(name: str) -> None:
    found = Mask(secrets_in({name: f"http://user:{PROXY_PASSWORD}@proxy.example:3128"}))
    assert found(f"via http://user:{PROXY_PASSWORD}@proxy.example:3128!") == "via http://***@proxy.example:3128!"
    coded = base64.b64encode(f"user:{PROXY_PASSWORD}".encode()).decode()
    assert found(f"Proxy-Authorization: Basic {coded}") == "Proxy-Authorization: Basic ***Q=="  # two bits of its end


def test_a_short_password_is_hidden_only_where_it_stands_in_its_address() -> None:
    mask = Mask(secrets_of_address("ftp://me:pw@host/"))
    assert mask("ftp://me:pw@host/ and pw, me:pw") == "ftp://***@host/ and pw, me:pw"


def test_a_key_in_the_query_of_an_address_is_a_secret() -> None:
    assert list(secrets_of_address(f"https://api.example/v1?version=20250101&api-key={KEY}")) == [KEY]


def test_each_line_of_a_secret_of_several_is_hidden_alone() -> None:
    lines = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq9\nhkiG9w0BAQEFAASC8\n-----END PRIVATE KEY-----"
    mask = Mask(secrets_in({"SIGNING_KEY": lines}))
    assert mask("  MIIEvQIBADANBgkq9\n  hkiG9w0BAQEFAASC8") == "  ***\n  ***"


def test_the_screen_hides_a_secret_before_it_is_wrapped(tmp_path: Path) -> None:
    with (tmp_path / "screen").open("w+", encoding="utf-8") as stream:
        look = Look(stream, rich=True)
        look.mask = Mask([KEY])
        look.write(line("word " * 14 + KEY))
        look.live(f"calling with {KEY}")
        look.prompt(f"{KEY}? ")
        stream.seek(0)
        shown = stream.read()
    assert "canary" not in shown
    assert shown.count("***") == 3


def spellings(secret: str) -> set[str]:
    found = {secret, quote(secret, safe="")}
    for _ in range(2):
        found |= {json.dumps(one, ensure_ascii=ascii)[1:-1] for one in found for ascii in (True, False)}
    return found | {base64.b64encode(secret.encode()).decode()[:-4]}


def found_in(text: str) -> list[str]:
    """The names of the secrets that a text tells in any spelling."""
    return [name for name, secret in CANARIES.items() if any(spelling in text for spelling in spellings(secret))]


@dataclass
class Home:
    """A user's folders; `secrets` stand in the environment, in the workspace's .env and in the user's config.toml."""

    root: Path
    output: list[str] = field(default_factory=list[str])
    requests: list[Request] = field(default_factory=list[Request])

    def __post_init__(self) -> None:
        self.workspace = self.root / "work"
        self.workspace.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environ = kept | {
            "HOME": str(self.root),
            **UNPROVEN,
            "XDG_STATE_HOME": str(self.root / "state"),
            "XDG_CONFIG_HOME": str(self.root / "config"),
            "PYTHONPATH": str(self.root / "site"),
            "PYTHONWARNINGS": "error",
            "OPENAI_API_KEY": KEY,
            "http_proxy": f"http://user:{PROXY_PASSWORD}@127.0.0.1:9",
            "no_proxy": "127.0.0.1",
        }
        self.file("work/.env", f"SERVICE_TOKEN='{TOKEN}'\n".replace("\\", "\\\\"))
        self.file("work/holds.txt", self.echo)

    @property
    def echo(self) -> str:
        """Every secret, in several spellings."""
        spelled = [
            *CANARIES.values(),
            json.dumps(TOKEN),
            quote(TOKEN, safe=""),
            base64.b64encode(KEY.encode()).decode(),
        ]
        return "\n".join([*spelled, f"http://user:{PROXY_PASSWORD}@127.0.0.1:9", f"Authorization: Bearer {KEY}"])

    def file(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def endpoint(self, server: ModelServer) -> None:
        address = server.base_url.replace("//", f"//me:{PASSWORD}@")
        self.file("config/autoagent/config.toml", f'base_url = "{address}"\nmodel = "test-model"\nplugins = ["acme"]\n')

    def plugin(self, code: str) -> None:
        self.file("site/acme-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
        self.file("site/acme-1.dist-info/entry_points.txt", "[autoagent.commands]\nacme = acme_commands:COMMANDS\n")
        self.file("site/acme_commands.py", f"import os\nfrom autoagent.registry import command\n{code}")

    def call(self, *args: str) -> subprocess.CompletedProcess[str]:
        argv = ["/bin/sh", "-c", 'umask 000; exec "$@"', "sh", sys.executable, "-m", "autoagent", *args]
        ended = subprocess.run(
            argv, cwd=self.workspace, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        self.output += [ended.stdout, ended.stderr]
        return ended

    def kept(self) -> Iterator[tuple[str, str]]:
        for path in (self.root / "state").rglob("*"):
            if path.is_file():
                yield str(path), path.read_text(encoding="utf-8", errors="replace")


LEAKING_COMMAND = """
@command("reads")
def consult(subject: str) -> str:
    '''Consult a service.'''
    raise RuntimeError(f"Authorization: Bearer {os.environ['OPENAI_API_KEY']}")

COMMANDS = [consult]
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A whole run in which the model, files and a plugin's traceback tell every secret; then all the ways to look."""
    home = Home(tmp_path_factory.mktemp("home"))
    home.plugin(LEAKING_COMMAND)
    script = [
        thought(
            text=f"The secrets: {home.echo}", reasoning=home.echo, plan=[home.echo], criticism=home.echo,
            commands=[
                ("read_file", {"path": "holds.txt"}), ("consult", {"subject": KEY}),
            ],
        ),
        thought(text="A copy.", commands=[("write_file", {"path": "copy.txt", "text": home.echo})]),
        home.echo,
        thought(text="A long one.", commands=[("read_file", {"path": "long.txt"})]),
        thought(text="An end.", commands=[("give_up", {"reason": home.echo})]),
        done(home.echo, ["holds.txt"]),
    ]  # fmt: skip
    home.file("work/long.txt", "".join(f"{n} {secret}\n" for n in range(3_000) for secret in CANARIES.values()))
    with ModelServer(script) as server:
        home.endpoint(server)
        home.call("run", "-c", "-v", "--context-tokens", "20000", "--goal", f"Tell {KEY}", "--name", TOKEN)
        home.call("resume", "last", "-c", "--json", "--message", f"Once more: {home.echo}", "-o", "result.txt")
        home.requests = server.requests
    home.call("show", "last")
    home.call("show", "last", "--step", "1")
    home.call("show", "last", "--json")
    home.call("config")
    return home


def test_nothing_that_is_kept_holds_a_secret(told: Home) -> None:
    files = dict(told.kept()) | {"result": (told.workspace / "result.txt").read_text()}
    assert any("artifacts" in path for path in files)
    assert {path: found_in(text) for path, text in files.items() if found_in(text)} == {}


def test_nothing_that_is_printed_holds_a_secret(told: Home) -> None:
    assert "***" in told.output[0] + told.output[1]
    assert [found_in(text) for text in told.output if found_in(text)] == []


def test_nothing_that_is_sent_to_the_model_holds_a_secret(told: Home) -> None:
    sent = [request.raw.decode() for request in told.requests]
    assert len(sent) == 6
    assert "hold a value that is kept secret here" in sent[2]
    assert not (told.workspace / "copy.txt").exists()
    assert [found_in(text) for text in sent if found_in(text)] == []


def test_these_tests_would_find_each_secret_that_nobody_knows(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (home.workspace / ".env").unlink()
    home.environ |= {"OPENAI_API_KEY": "sk-another-one-0123", "http_proxy": ""}
    with ModelServer([home.echo, done(home.echo)]) as server:
        home.call("run", "-c", "-v", "Tell", "--base-url", server.base_url, "-m", "test-model")
        sent = server.requests[1].raw.decode()
    kept = "".join(text for _, text in home.kept())
    assert [sorted(found_in(text)) for text in (kept, sent, "".join(home.output))] == [sorted(CANARIES)] * 3


def test_a_password_in_the_users_own_address_still_reaches_the_endpoint(told: Home) -> None:
    coded = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert {request.headers["authorization"] for request in told.requests} == {f"Basic {coded}"}


def test_the_state_folder_is_private_whatever_the_umask(told: Home) -> None:
    state = told.root / "state"
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in [state, *state.rglob("*")]}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_what_a_person_answers_waits_for_the_run_without_secrets(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with ModelServer([Failure(401)]) as server:
        home.call("run", "-c", "Do it", "--base-url", server.base_url, "-m", "test-model")
    assert home.call("answer", "last", f"Use {KEY} for it.").returncode == 0
    (waiting,) = (home.root / "state").rglob("inbox/*.json")
    assert "Use *** for it." in waiting.read_text()


def test_a_401_that_echoes_the_key_shows_it_nowhere(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with ModelServer([Failure(401, f"Incorrect API key provided: {KEY}. {TOKEN}")]) as server:
        ended = home.call("run", "-c", "Do it", "--base-url", server.base_url, "-m", "test-model")
    assert ended.returncode == 6
    told = "".join([*home.output, *(text for _, text in home.kept())])
    assert "401" in told
    assert found_in(told) == []


@pytest.mark.parametrize("proxy", ["http://user:{}@127.0.0.1:9", "socks4://user:{}@127.0.0.1:9", "user:{}@127.0.0.1:9"])
def test_a_proxy_that_can_not_be_used_is_told_without_its_password(tmp_path: Path, proxy: str) -> None:
    home = Home(tmp_path)
    home.environ |= {"http_proxy": proxy.format(PROXY_PASSWORD), "no_proxy": ""}
    ended = home.call("run", "-c", "-v", "Do it", "--base-url", "http://m.example/v1", "-m", "m", "--max-time", "0.3")
    assert ended.returncode in (4, 6)
    assert found_in("".join([*home.output, *(text for _, text in home.kept())])) == []


def test_the_report_of_a_bug_holds_no_secret_and_is_private(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.plugin(
        "from dataclasses import dataclass\nfrom autoagent.registry import Command\n"
        "@command('reads')\ndef good(text: str) -> str:\n    '''Good.'''\n    return text\n"
        "class Bad(Command):\n    @property\n    def signature(self):\n"
        f"        raise RuntimeError({home.echo!r})\n"
        "COMMANDS = [Bad(**vars(good))]\n"
    )
    home.file("config/autoagent/config.toml", 'model = "offline"\nplugins = ["acme"]\n')
    ended = home.call("run", "-c", "Do it")
    assert "This is a bug" in " ".join(ended.stderr.split())
    (report,) = (home.root / "state/autoagent/reports").iterdir()
    assert "RuntimeError: ***" in report.read_text()
    assert found_in(ended.stderr + report.read_text()) == ["password"]  # which this home has told nobody
    assert (report.stat().st_mode & 0o777, report.parent.parent.stat().st_mode & 0o777) == (0o600, 0o700)
