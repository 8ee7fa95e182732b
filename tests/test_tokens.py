"""Token counts: tiktoken's own figures, offline on a fresh machine, and a safe bound where that cannot be."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from tiktoken.model import MODEL_PREFIX_TO_ENCODING, MODEL_TO_ENCODING

import autoagent
from autoagent.models.tokens import TABLES, TokenCounter, byte_bound

PACKAGE = Path(autoagent.__file__).parent
URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
ANY_TEXT = st.text(st.characters(), max_size=300)  # lone surrogates included

TEXTS = {
    "english": "Agents that run for hours need a record of what they did; it's read after a crash.\n\nI'LL see  you.  ",
    "korean": "에이전트가 몇 시간 동안 일하려면 무엇을 했는지 기록해 두어야 합니다. 위약금(제3조)을 표로 정리했다.",
    "emoji": "🎉🚀 👩\u200d💻 done ✅ 😀😅 e\u0301 한\u1112\u1161\u11ab",
    "code": Path(__file__).read_text(encoding="utf-8"),
    "table": "이름,금액\n서울,1234567\r\n부산,89\n//주석\n" * 2_000,
    "long prose": "The quick brown fox — 빠른 갈색 여우가 게으른 개를 넘는다. x = 1_000;\n" * 2_000,
    "special tokens": "<|endoftext|> and <|im_start|>user<|endofprompt|>",
    "lone surrogate": "before \ud800 after \udfff",
    "empty": "",
}
RUNS = {
    "one letter": "a",
    "capitals": "A",
    "spaces": " ",
    "tabs": "\t",
    "line breaks": "\n",
    "spaced breaks": " \n",
    "digits": "7",
    "dashes": "-",
    "hangul": "가나다라마바사아",
    "emoji": "😀",
    "lone surrogates": "\ud800",
    "no whitespace": "".join(chr(33 + index * 7919 % 90) for index in range(997)),
}


@pytest.fixture(scope="module")
def tiktokens_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tiktoken.Encoding]]:
    """tiktoken's encodings by its own loader, out of a cache folder that holds our rank files."""
    cache = tmp_path_factory.mktemp("cache")
    for name in TABLES:
        shutil.copy(
            PACKAGE / "models" / "ranks" / f"{name}.tiktoken",
            cache / hashlib.sha1(URL.format(name).encode()).hexdigest(),
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        yield {name: tiktoken.get_encoding(name) for name in TABLES}


def run_python(code: str, *, root: Path = PACKAGE.parent) -> str:
    """The output of a fresh interpreter in which opening a socket is an error."""
    no_network = (
        "import socket\ndef refuse(*_, **__): raise AssertionError('a socket was opened')\nsocket.socket = refuse\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", no_network + code],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def copy_of_the_package(tmp_path: Path) -> Path:
    """A folder that holds a copy of the package, to damage."""
    shutil.copytree(PACKAGE, tmp_path / "autoagent", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("name", TABLES)
def test_the_rank_files_are_package_data_with_the_digest_that_tiktoken_expects(name: str):
    content = resources.files("autoagent.models").joinpath("ranks", f"{name}.tiktoken").read_bytes()

    assert hashlib.sha256(content).hexdigest() == TABLES[name].sha256


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize(("model", "encoding"), [("gpt-5-mini", "o200k_base"), ("gpt-4", "cl100k_base")])
def test_counts_are_tiktokens_own(tiktokens_own: dict[str, tiktoken.Encoding], model: str, encoding: str, text: str):
    assert TokenCounter(model).count(text) == len(tiktokens_own[encoding].encode(text, disallowed_special=()))


@given(ANY_TEXT)
def test_any_text_counts_as_in_tiktoken(tiktokens_own: dict[str, tiktoken.Encoding], text: str):
    assert TokenCounter("gpt-4o").count(text) == len(tiktokens_own["o200k_base"].encode_ordinary(text))


@given(
    st.lists(
        st.sampled_from(["word", "낱말", " ", "  ", "\n", "\r\n", "\t", "/", ";", "'s", "12", "A", "é"]), min_size=8
    )
)
def test_a_long_text_counts_as_in_tiktoken_wherever_it_is_cut(
    tiktokens_own: dict[str, tiktoken.Encoding], parts: list[str]
):
    text = ("".join(parts) + " and so on ") * (60_000 // (len("".join(parts)) + 11))
    assert TokenCounter("gpt-4o").count(text) == len(tiktokens_own["o200k_base"].encode_ordinary(text))
    assert TokenCounter("gpt-4").count(text) == len(tiktokens_own["cl100k_base"].encode_ordinary(text))


@given(ANY_TEXT)
def test_no_count_exceeds_the_byte_bound(text: str):
    assert TokenCounter("gpt-4o").count(text) <= byte_bound(text)
    assert TokenCounter("gpt-4").count(text) <= byte_bound(text)
    assert TokenCounter("some-local-model").count(text) <= byte_bound(text)


@pytest.mark.parametrize("unit", RUNS.values(), ids=RUNS.keys())
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
def test_a_megabyte_without_a_break_counts_in_two_seconds(model: str, unit: str):
    counter = TokenCounter(model)
    counter.count("")  # the tables are there
    text = unit * (1_000_000 // len(unit))

    start = time.perf_counter()
    tokens = counter.count(text)

    assert time.perf_counter() - start < 2
    assert 0 < tokens <= byte_bound(text)


@pytest.mark.parametrize("unit", ["a", "=", "aA", "7", "가", "x1_"])
def test_a_run_counted_in_pieces_is_never_below_tiktokens_figure(
    tiktokens_own: dict[str, tiktoken.Encoding], unit: str
):
    text = unit * (200_000 // len(unit))
    own = len(tiktokens_own["o200k_base"].encode_ordinary(text))

    assert own <= TokenCounter("gpt-4o").count(text) <= own + 20


def test_models_have_the_encoding_that_tiktoken_gives_them(tiktokens_own: dict[str, tiktoken.Encoding]):
    """Told apart by a text on which the encodings differ, and by `exact`."""
    text = TEXTS["korean"]
    figures = {
        "o200k_harmony": len(tiktokens_own["o200k_base"].encode_ordinary(text)),
        **{name: len(encoding.encode_ordinary(text)) for name, encoding in tiktokens_own.items()},
    }
    examples = {
        **MODEL_TO_ENCODING,
        **{prefix + "2099-01-01": name for prefix, name in MODEL_PREFIX_TO_ENCODING.items()},
    }
    chat = {model: name for model, name in examples.items() if name in figures and "-00" not in model}
    chat = {model: name for model, name in chat.items() if not model.startswith("text-embedding")}

    assert {model: TokenCounter(model).count(text) for model in chat} == {m: figures[name] for m, name in chat.items()}
    assert all(TokenCounter(model).exact for model in chat)


def test_a_routers_name_of_an_openai_model_is_exact():
    assert TokenCounter("openai/gpt-4o").exact


@pytest.mark.parametrize("model", ["llama-2-7b-chat", "claude-sonnet-4-5", "qwen3:8b", "gpt4o", ""])
def test_an_unknown_model_is_estimated_above_the_known_figure(model: str):
    counter = TokenCounter(model)

    assert not counter.exact
    for text in (TEXTS["english"], TEXTS["code"]):
        assert 1.3 < counter.count(text) / TokenCounter("gpt-4o").count(text) < 1.5
    korean = TEXTS["korean"]  # other tokenizers spend up to twice as much on Hangul
    assert 1.7 < counter.count(korean) / TokenCounter("gpt-4o").count(korean) < 2.5


def test_importing_and_constructing_loads_nothing():
    modules = run_python(
        "import sys\n"
        "from autoagent.models.tokens import TokenCounter\n"
        "counter = TokenCounter('gpt-4o')\n"
        "print(counter.ready(), counter.exact, counter.bound('안녕'), 'tiktoken' in sys.modules)"
    )

    assert modules == "False True 6 False"


def test_a_fresh_machine_counts_without_a_socket(tmp_path: Path):
    printed = run_python(
        f"import os; os.environ['TIKTOKEN_CACHE_DIR'] = {str(tmp_path)!r}\n"
        "from autoagent.models.tokens import TokenCounter\n"
        "print(TokenCounter('gpt-4o').count('hello world'), TokenCounter('gpt-4').count('hello world'))"
    )

    assert printed == "2 2"
    assert not list(tmp_path.iterdir())


def test_the_background_thread_makes_it_ready():
    printed = run_python(
        "import threading\n"
        "from autoagent.models.tokens import TokenCounter\n"
        "first, second = TokenCounter('gpt-4o'), TokenCounter('gpt-5')\n"
        "before = threading.active_count()\n"
        "for counter in (first, second, first): counter.load_in_background()\n"
        "started = threading.active_count() - before\n"
        "[loader] = [thread for thread in threading.enumerate() if thread.daemon]\n"
        "loader.join()\n"
        "print(started, first.ready(), second.ready(), first.bound('hello world'))"
    )

    assert printed == "1 True True 2"


def test_many_threads_count_alike():
    printed = run_python(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from autoagent.models.tokens import TokenCounter\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    counts = list(pool.map(lambda _: TokenCounter('gpt-4o').count('hello world ' * 1000), range(64)))\n"
        "print(set(counts) == {TokenCounter('gpt-4o').count('hello world ' * 1000)}, len(counts))"
    )

    assert printed == "True 64"


@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing", "a folder"])
def test_a_damaged_rank_file_falls_back_to_the_byte_bound_and_is_left_alone(copy_of_the_package: Path, damage: str):
    ranks = copy_of_the_package / "autoagent" / "models" / "ranks" / "o200k_base.tiktoken"
    content = ranks.read_bytes()
    ranks.unlink()
    match damage:
        case "flipped":
            ranks.write_bytes(content[:1000] + b"!" + content[1001:])
        case "truncated":
            ranks.write_bytes(content[:-100])
        case "a folder":
            ranks.mkdir()
        case _:
            pass
    before = ranks.read_bytes() if ranks.is_file() else None

    printed = run_python(
        "import json\n"
        "from autoagent.models.tokens import TokenCounter\n"
        "known, unknown, old = TokenCounter('gpt-4o'), TokenCounter('llama'), TokenCounter('gpt-4')\n"
        "counts = [known.count('안녕 hello'), unknown.count('안녕 hello'), old.count('hello world')]\n"
        "print(json.dumps([*counts, known.exact, old.exact, known.ready(), known.bound('abc')]))",
        root=copy_of_the_package,
    )

    assert json.loads(printed) == [12, 12, 2, False, True, True, 3]
    assert (ranks.read_bytes() if ranks.is_file() else None) == before
