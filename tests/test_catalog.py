"""Prices and windows: the user's table, then loopback, then the catalog's exact names where they hold."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from importlib import resources
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autoagent
from autoagent.errors import ConfigError
from autoagent.models.catalog import Facts, Price, look_up

CATALOG = resources.files("autoagent.models").joinpath("catalog.json")
OPENAI = "https://api.openai.com/v1"
UNKNOWN = "https://llm.example.org/v1"
LOOPBACK = [
    "http://127.0.0.1:8000/v1",
    "http://127.9.9.9/v1",
    "http://[::1]:11434/v1",
    "http://LocalHost:1234",
    "localhost:80",
]


@dataclass(frozen=True)
class Entry:
    input: float
    output: float
    cached: float | None = None


@pytest.fixture(scope="module")
def catalog() -> dict[str, Any]:
    return json.loads(CATALOG.read_text(encoding="utf-8"))


def test_an_openai_model_at_openai_has_everything(catalog: dict[str, Any]):
    dated = catalog["dated"]

    assert look_up("gpt-4o", OPENAI, {}) == Facts(128_000, 16_384, Price(2.5, 10, 1.25, "catalog", dated))
    assert date.fromisoformat(dated).year >= 2026


@pytest.mark.parametrize("base_url", [OPENAI, UNKNOWN, *LOOPBACK, "https://api.anthropic.com"])
def test_the_users_table_wins_everywhere(base_url: str):
    price = look_up("gpt-4o", base_url, {"gpt-4o": Entry(1, 2, 0.5), "other": Entry(9, 9)}).price

    assert price == Price(1, 2, 0.5, "table")


def test_the_users_cached_price_is_the_input_price_unless_given():
    assert look_up("mine", UNKNOWN, {"mine": Entry(3, 4)}).price == Price(3, 4, 3, "table")
    assert look_up("mine", UNKNOWN, {"mine": Entry(3, 4, 0)}).price == Price(3, 4, 0, "table")


@pytest.mark.parametrize(
    "entry", [Entry(-1, 1), Entry(1, nan), Entry(inf, 1), Entry(1, -inf), Entry(1, 1, -0.1), Entry(1, 1, nan)]
)
def test_a_price_that_is_none_names_its_model(entry: Entry):
    with pytest.raises(ConfigError, match="'my-model'"):
        look_up("my-model", OPENAI, {"my-model": entry})


@pytest.mark.parametrize("base_url", LOOPBACK)
@pytest.mark.parametrize("model", ["gpt-4o", "qwen3:8b"])
def test_loopback_is_free(model: str, base_url: str):
    price = look_up(model, base_url, {}).price

    assert price == Price(0, 0, 0, "free")
    assert price.cost(1_000_000, 0, 1_000_000) == 0


@pytest.mark.parametrize(
    "base_url",
    [
        "http://127.0.0.1.example.org/v1",
        "http://127.0.0.1@example.org/v1",
        "http://localhost.example.org",
        "http://10.0.0.1",
        "http://[::2]",
        "http://[oops",
        "",
    ],
)
def test_what_only_looks_like_loopback_is_not_free(base_url: str):
    assert look_up("qwen3:8b", base_url, {}).price is None


@pytest.mark.parametrize(
    "base_url", [OPENAI, UNKNOWN, "https://API.OpenAI.com./v1/", "https://eu.api.openai.com/v1", "http://10.0.0.1:4000"]
)
def test_the_catalogs_price_counts_at_its_own_address_and_at_an_unknown_one(base_url: str):
    price = look_up("gpt-4o", base_url, {}).price

    assert price is not None
    assert (price.input, price.origin) == (2.5, "catalog")


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.deepseek.com",
        "https://openrouter.ai/api/v1",
        "https://mine.openai.azure.com/openai/v1",
        "https://router.huggingface.co/v1",
    ],
)
def test_another_known_providers_address_does_not_get_the_price(base_url: str):
    facts = look_up("gpt-4o", base_url, {})

    assert facts.price is None
    assert facts.window == 128_000


@pytest.mark.parametrize(
    "model",
    [
        "deepseek-chat-mine",
        "my-gpt-4o",
        "gpt-4o-",
        "GPT-4o",
        "gpt-4o-2099-01-01",
        "gpt-4o ",
        "claude",
        "",
        "ft:gpt-4o:me::1",
    ],
)
@pytest.mark.parametrize("base_url", [OPENAI, UNKNOWN, "https://api.deepseek.com/v1"])
def test_a_similar_name_has_no_price(model: str, base_url: str):
    assert look_up(model, base_url, {}) == Facts(None, None, None)


def test_an_unknown_address_gets_the_makers_price_before_a_sellers(catalog: dict[str, Any]):
    """o3-mini is sold by OpenAI and by Azure; a model that only sellers have costs what the dearest of them asks."""
    assert "o3-mini" in catalog["providers"]["azure"]["models"]
    maker = catalog["providers"]["openai"]["models"]["o3-mini"]
    price = look_up("o3-mini", UNKNOWN, {}).price
    assert price is not None
    assert [price.input, price.output, price.cached] == maker[:3]

    sellers = [
        p["models"]["openai/gpt-oss-120b"]
        for p in catalog["providers"].values()
        if "openai/gpt-oss-120b" in p["models"]
    ]
    assert len(sellers) > 1
    facts = look_up("openai/gpt-oss-120b", UNKNOWN, {})
    assert facts.price is not None
    assert facts.price.input == max(row[0] for row in sellers)
    assert facts.price.output == max(row[1] for row in sellers)
    assert facts.window == min(row[3] for row in sellers if row[3])


def test_every_provider_prices_its_own_models_at_its_own_hosts(catalog: dict[str, Any]):
    for provider in catalog["providers"].values():
        for host in provider["hosts"]:
            base_url = f"https://{'x' + host if host.startswith('.') else host}/v1"
            for model, row in list(provider["models"].items())[:5]:
                price = look_up(model, base_url, {}).price
                assert price is not None
                assert [price.input, price.output, price.cached] == row[:3]


def test_the_catalog_is_small_complete_and_of_sane_figures(catalog: dict[str, Any]):
    providers = catalog["providers"]
    main = {
        "openai",
        "anthropic",
        "google",
        "mistral",
        "deepseek",
        "x-ai",
        "cohere",
        "groq",
        "together",
        "openrouter",
        "azure",
    }

    assert len(CATALOG.read_bytes()) < 150_000
    assert main <= {name for name, provider in providers.items() if provider["models"]}
    assert catalog["columns"] == ["input", "output", "cached", "window", "longest_reply"]
    hosts = [host for provider in providers.values() for host in provider["hosts"]]
    assert len(hosts) == len(set(hosts))
    for provider in providers.values():
        for model, (*prices, window, longest_reply) in provider["models"].items():
            assert all(isfinite(price) and 0 <= price <= 1_000 for price in prices), model
            assert window is None or window >= 1_000, model
            assert longest_reply is None or 1_000 <= longest_reply <= (window or inf), model


def test_a_price_by_prompt_length_is_the_higher_one():
    price = look_up("gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta/openai/", {}).price

    assert price is not None
    assert (price.input, price.output) == (2.5, 15)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_cached_tokens_are_part_of_the_input(fresh: int, cached: int, output: int):
    price = Price(input=3, output=15, cached=0.3, origin="table")

    assert price.cost(fresh + cached, cached, output) == pytest.approx((3 * fresh + 0.3 * cached + 15 * output) / 1e6)
    assert price.cost(fresh, fresh + cached, 0) == pytest.approx(0.3 * fresh / 1e6)  # a server that counts them apart


def test_importing_reads_nothing_and_never_needs_the_price_package():
    root = Path(autoagent.__file__).parent.parent
    code = (
        "import sys, time\n"
        "from autoagent.models import catalog\n"
        "start = time.perf_counter(); catalog.look_up('gpt-4o', 'https://api.openai.com/v1', {})\n"
        "print('genai_prices' in sys.modules, time.perf_counter() - start)"
    )
    environment = {**os.environ, "PYTHONPATH": str(root)}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout

    imported, seconds = printed.split()
    assert imported == "False"
    assert float(seconds) < 0.1  # about 3 ms on an idle machine
