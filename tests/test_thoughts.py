"""A reply executes only where it can be read in one way; whatever else the model says is asked again."""

import json
import string
import time
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from autoagent.errors import ThoughtError
from autoagent.reading import MAX_DEPTH
from autoagent.thoughts import CommandCall, Thought, parse_thought, plan_mark

SECONDS = 2.0
COMMAND = {"name": "read_file", "args": {"path": "a.md"}}
CALL = CommandCall(name="read_file", args={"path": "a.md"})
REPLY = {"thoughts": {"text": "look", "plan": ["[>] read"]}, "commands": [COMMAND]}
TEXT = json.dumps(REPLY)


def calls_of(reply: str) -> tuple[CommandCall, ...]:
    began = time.perf_counter()
    try:
        return parse_thought(reply).commands
    finally:
        assert time.perf_counter() - began < SECONDS


def problem_with(reply: str, *, cut: bool = False) -> str:
    began = time.perf_counter()
    with pytest.raises(ThoughtError) as raised:
        parse_thought(reply, cut=cut)
    assert time.perf_counter() - began < SECONDS
    return str(raised.value)


def command(**args: Any) -> str:
    return json.dumps({"commands": [{"name": "read_file", "args": args}]})


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(TEXT, id="187 canonical"),
        pytest.param(f"```json\n{TEXT}\n```", id="188 fence"),
        pytest.param(f"~~~\n{TEXT}\n~~~", id="188 other fence"),
        pytest.param(f"Sure! It's this: {TEXT} Done, isn't it?", id="189 prose around"),
        pytest.param(f'A " quote and a ’ and {{x}} and {{}}: {TEXT}', id="189 braces in prose"),
        pytest.param(TEXT[:-1] + ",}", id="190 trailing comma"),
        pytest.param(TEXT.replace("]}", ",\n ]}"), id="190 trailing comma in lists"),
        pytest.param(TEXT[:-1] + "// don't } stop\n}", id="191 line comment"),
        pytest.param(TEXT[:-1] + '/* " } */}', id="191 block comment"),
        pytest.param(str(REPLY), id="192 Python literals"),
        pytest.param(str(REPLY | {"x": None, "y": True, "z": ["it's", -1.5]}), id="192 None and True"),
        pytest.param(f"\ufeff{TEXT}", id="223 BOM"),
        pytest.param(f"{TEXT}\n\n{TEXT}", id="201 same object twice"),
        pytest.param(f"{TEXT}\n{json.dumps(REPLY, indent=2)}", id="201 same object, other spaces"),
        pytest.param(json.dumps(TEXT), id="216 double encoded"),
        pytest.param('<think>{"commands": [{"name": "delete"}]}</think>' + TEXT, id="225 think block with JSON"),
        pytest.param("<think>an open { and ' </think>" + TEXT, id="225 think block with anything"),
        pytest.param('First I draft {"a": 1}.\n</think>\n' + TEXT, id="225 no opening tag"),
        pytest.param(json.dumps({"command": COMMAND}), id="AutoGPT's command"),
        pytest.param(json.dumps(COMMAND), id="a command alone"),
        pytest.param(json.dumps({"command": None, "commands": [COMMAND]}), id="213 null beside a command"),
        pytest.param(
            json.dumps({"commands": [{"name": "read_file", "args": '{"path": "a.md"}'}]}), id="215 args as a string"
        ),
        pytest.param(
            json.dumps({"tool_calls": [{"id": "1", "type": "function", "function": {"name": "read_file",
            "arguments": '{"path": "a.md"}'}}]}), id="a tool call in the text",
        ),
    ],
)  # fmt: skip
def test_a_reply_that_can_be_read_in_one_way_executes(reply: str) -> None:
    assert calls_of(reply) == (CALL,)


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        pytest.param(TEXT[: TEXT.index("a.md")] + "rm -rf /workspace", "not closed", id="195 cut string"),
        pytest.param(TEXT[:-1], "not closed", id="196 cut after strings"),
        pytest.param('{"commands":[{"name":"a","args":{"x":"1","x":"2"}}]}', "'x' stands twice", id="199 twice"),
        pytest.param('{"commands":[{"name":"a","args":{"x":1,"x":1}}]}', "'x' stands twice", id="199 equal duplicates"),
        pytest.param('{"commands":[{"name":"a","args":{"x":1,"\\u0078":2}}]}', "'x' stands twice", id="199 escaped"),
        pytest.param("{'commands':[{'name':'a','args':{'x':1,'x':2}}]}", "'x' stands twice", id="199 in Python"),
        pytest.param("{'commands':[{'name':'a','args':{1:1,1.0:2}}]}", "not a string", id="199 equal keys in Python"),
        pytest.param(TEXT + command(path="b.md"), "different JSON objects", id="200 two objects"),
        pytest.param(command(n=1) + command(n=True), "different JSON objects", id="200 one and true are two"),
        pytest.param(command(text='say "hi"').replace("\\", ""), "not valid JSON", id="202 unescaped quotes"),
        pytest.param('{"commands":[{"name":"a","args":{"s":NaN}}]}', "NaN", id="203 NaN"),
        pytest.param('{"commands":[{"name":"a","args":{"s":-Infinity}}]}', "Infinity", id="203 infinity"),
        pytest.param('{"commands":[{"name":"a","args":{"s":1e400}}]}', "1e400", id="204 1e400"),
        pytest.param("{'commands':[{'name':'a','args':{'s':1e400}}]}", "Infinity", id="204 in Python"),
        pytest.param('{"commands":[{"name":"a","args":{"s":' + "9" * 5000 + "}}]}", "5,000 digits", id="205 digits"),
        pytest.param("{'commands':[{'name':'a','args':{'s':" + "9" * 5000 + "}}]}", "digits", id="205 in Python"),
        pytest.param("{'commands':[{'name':'a','args':{'s':0x" + "f" * 5000 + "}}]}", "digits", id="205 hexadecimal"),
        pytest.param('{"commands":[{"name":"a","args":["x"]}]}', "must be an object, not a list", id="206 args a list"),
        pytest.param('{"commands":[{"name":"a","args":7}]}', "must be an object, not a number", id="206 args a number"),
        pytest.param('{"commands":["a"]}', "not a string", id="206 a command is a string"),
        pytest.param('{"thoughts":{"text":1},"commands":[{"name":"a"}]}', "thoughts.text", id="206 text a number"),
        pytest.param('{"thoughts":{"plan":[1]},"commands":[{"name":"a"}]}', "thoughts.plan", id="206 plan of numbers"),
        pytest.param('{"commands":null}', "names no command", id="213 null command"),
        pytest.param('{"commands":[null]}', "not null", id="213 null among commands"),
        pytest.param('{"commands":[{"name":null}]}', "not an object", id="213 null name"),
        pytest.param('{"commands":[]}', "names no command", id="213 no command"),
        pytest.param(f"[{TEXT}]", "is a list", id="214 top-level list"),
        pytest.param(f"[{TEXT}, {command(path='b')}]", "is a list", id="214 list of two"),
        pytest.param("", "no JSON object", id="217 empty"),
        pytest.param(" \n", "no JSON object", id="217 blank"),
        pytest.param("I'm sorry, I can't help with that.", "no JSON object", id="218 refusal"),
        pytest.param("commands:\n  - name: read_file\n", "no JSON object", id="219 YAML"),
        pytest.param("<command><name>read_file</name></command>", "no JSON object", id="219 XML"),
        pytest.param("x" * 1_000_000, "no JSON object", id="220 1 MB of x"),
        pytest.param("[" * 100_000, "no JSON object", id="221 many brackets"),
        pytest.param('{"a":' * 100_000, "nested deeper", id="221 many objects"),
        pytest.param(b'{"commands":[{"name":"\xff"}]}'.decode("utf-8", "surrogateescape"), "surrogate", id="222 bytes"),
        pytest.param('{"commands":[{"name":"a","args":{"x":"\\ud83d"}}]}', "surrogate", id="222 half a pair"),
        pytest.param("{“commands”: [{“name”: “read_file”}]}", "not valid JSON", id="224 curly quotes"),
        pytest.param("<think>I wonder " + TEXT, "inside <think>", id="225 thinking never ends"),
        pytest.param('{"commands":[{"name":"a","arguments":"{"}]}', "not closed", id="226 arguments cut"),
        pytest.param('{"commands":[{"name":"a","args":"x {} y"}]}', "not a string", id="226 arguments in prose"),
        pytest.param('{"commands":[{"name":"a","args":"[1]"}]}', "not a string", id="226 arguments a list"),
        pytest.param('{"tool_calls":[{"id":"1","function":{"arguments":"{}"}}]}', "must look like", id="229 no name"),
        pytest.param('{"commands":[{"name":"a","args":{,}}]}', "not valid JSON", id="a comma behind nothing"),
        pytest.param('{"commands":[{"name":"a","args":{"x":[1,,]}}]}', "not valid JSON", id="two commas"),
        pytest.param('{"commands":[{"name":"list_files","path":"x"}]}', "'path'", id="arguments beside args"),
        pytest.param('{"commands":[{"name":"a","args":{},"arguments":{"x":1}}]}', "'arguments'", id="two args"),
        pytest.param('{"commands":[{"name":"a"}],"command":{"name":"b"}}', "'command'", id="two kinds of commands"),
        pytest.param(json.dumps({"commands": [COMMAND] * 21}), "21 commands", id="too many commands"),
        pytest.param("{'commands':[{'name':'a' 'b'}]}", "not valid JSON", id="Python would join two strings"),
        pytest.param("{'commands':[{'name':'a' # x\n 'b'}]}", "not valid JSON", id="and across a comment"),
        pytest.param("{'commands':[{'name':f'{1}'}]}", "not valid JSON", id="an f-string"),
        pytest.param("{'commands':[{'name':r'a'}]}", "not valid JSON", id="a raw string"),
        pytest.param("{'commands':[{'name':b'a'}]}", "not valid JSON", id="bytes"),
        pytest.param("{'commands':[{'name':'a','args':{'x':{1}}}]}", "set", id="a Python set"),
        pytest.param("{'commands':[{'name':'a','args':{'x':1+2}}]}", "neither", id="a sum"),
        pytest.param("{'commands':[{'name':'a','args':dict()}]}", "not valid JSON", id="a Python call"),
        pytest.param("{'commands':[{'name':__import__('os')}]}", "not valid JSON", id="192 never eval"),
        pytest.param("{'commands':[{'name':'a','args':{'x':'C:\\dir'}}]}", "escape", id="an escape Python would keep"),
    ],
)  # fmt: skip
def test_a_reply_that_could_mean_something_else_is_asked_again(reply: str, named: str) -> None:
    assert named in problem_with(reply)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [("a\nb", "a\nb"), ("a\tb", "a\tb"), ("a\r\nb", "a\r\nb"), ("한글 🙂", "한글 🙂")],
    ids=["193 raw newline", "194 raw tab", "raw carriage return", "Hangul and emoji"],
)
def test_raw_characters_in_a_string_are_kept(raw: str, kept: str) -> None:
    assert calls_of('{"commands":[{"name":"a","args":{"x":"' + raw + '"}}]}')[0].args == {"x": kept}


def test_197_a_reply_that_was_cut_is_refused_even_where_it_parses() -> None:
    assert "length limit" in problem_with(TEXT, cut=True)


def test_a_message_says_where_the_reply_breaks() -> None:
    assert "Line 3, column 2" in problem_with('{"commands":\n[\n x]}')


@pytest.mark.parametrize("stops", ["'", '"'])
def test_the_end_tag_of_thinking_in_a_string_is_no_tag(stops: str) -> None:
    injected = f"</think>{{{stops}name{stops}: {stops}delete_file{stops}, {stops}args{stops}: {{}}}}"
    assert calls_of("Sure! " + command(path=injected)) == (CommandCall(name="read_file", args={"path": injected}),)


IN_STRINGS = [
    "// x",
    "/* x */",
    ",}",
    ", ]",
    "{",
    "}}",
    "[",
    "'",
    '"',
    "\\",
    "```json",
    "</think>",
    "# x",
    "None",
    "\n",
]


@pytest.mark.parametrize("inside", IN_STRINGS)
@pytest.mark.parametrize("tail", ["", ",", "/* c */", "// c\n"], ids=["strict", "comma", "comment", "line comment"])
def test_what_looks_like_syntax_in_a_string_is_untouched(inside: str, tail: str) -> None:
    value = f"a {inside} b {inside}"
    assert calls_of(command(x=value)[:-1] + tail + "}")[0].args == {"x": value}


PATHOLOGICAL = {
    "many quotes": "{" + '"' * 1_000_000,
    "odd quotes": "{" + '"' * 1_000_001,
    "single quotes": "{'" * 300_000,
    "open comments": "{" + "/*" * 500_000,
    "comments": "{" + "/**/" * 250_000 + "}",
    "line comments": "{" + "//\n" * 330_000 + "}",
    "slashes": "{" + "/" * 1_000_000 + "}",
    "backslashes": '{"' + "\\" * 1_000_001,
    "braces": "{ " * 500_000,
    "empty objects": "{}" * 500_000,
    "prose braces": "{x} " * 250_000,
    "different objects": "".join(f'{{"a":{n}}}' for n in range(90_000)),
    "Python objects": "".join(f"{{'a':{n}}}" for n in range(90_000)),
    "one object, many ways": "".join("{'a':" + " " * (n % 900) + "1}" for n in range(2_000)),
    "nested fences": "```json\n" * 60_000 + TEXT + "\n```" * 60_000,
    "end tags": "</think>" * 125_000,
    "end tags and braces": "x {} </think>" * 70_000,
    "many keys": "{" + ",".join(f'"k{n}":1' for n in range(90_000)) + ',"k89999":2}',
    "many keys in Python": "{" + ",".join(f"'k{n}':None" for n in range(60_000)) + "}",
    "commas": '{"a":[' + "," * 1_000_000 + "]}",
    "commas and spaces": '{"a":1' + ", " * 500_000 + "}",
    "spaces": '{"a":1,' + " " * 1_000_000 + "1}",
    "brackets and spaces": '{"a":' + ("[" + " " * 10_000) * 90,
    "minus signs": "{'a':" + "-" * 900_000 + "1}",
    "a long sum": "{'a':" + "1+" * 40_000 + "1}",
    "many f-strings": "{'a':f'" + "{1}" * 30_000 + "'}",
    "parentheses": "{'a':" + "(" * 90_000 + ")" * 90_000 + "}",
    "digits": '{"a":' + "9" * 1_000_000 + "}",
    "escapes": '{"a":"' + "\\u0041" * 160_000 + '"}',
    "double encoded": json.dumps("{ " * 250_000),
    "deep arguments": '{"commands":[{"name":"a","args":' + json.dumps('{"a":' * 100_000 + "1" + "}" * 100_000) + "}]}",
    "arguments of minus signs": '{"commands":[{"name":"a","args":' + json.dumps("{'a':" + "-" * 90_000 + "1}") + "}]}",
}


@pytest.mark.parametrize("reply", PATHOLOGICAL.values(), ids=PATHOLOGICAL)
def test_a_megabyte_of_anything_is_answered_in_time(reply: str) -> None:
    began = time.perf_counter()
    told = ""
    try:
        parse_thought(reply)
    except ThoughtError as error:
        told = str(error)
    assert time.perf_counter() - began < SECONDS
    assert len(told) < 1_000


@pytest.mark.parametrize("depth", [MAX_DEPTH, 300, 900])
def test_arguments_in_a_string_may_not_be_deeper_than_any_other(depth: int) -> None:
    args = '{"a":' * (depth + 1) + "1" + "}" * (depth + 1)
    assert "nested deeper" in problem_with(json.dumps({"commands": [{"name": "a", "args": args}]}))


# -- properties ---------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)
CALLS = st.builds(CommandCall, name=WORDS, args=st.dictionaries(WORDS, VALUES, max_size=3))
THOUGHTS = st.builds(
    Thought,
    text=WORDS,
    reasoning=WORDS,
    plan=st.lists(WORDS, max_size=3).map(tuple),
    criticism=WORDS,
    speak=WORDS,
    commands=st.lists(CALLS, min_size=1, max_size=3).map(tuple),
)
PIECES = st.sampled_from(
    [
        '{"commands":[', '{"name":"a"', ',"args":', "{'name':'a'}", "{", "}", "[", "]", '"', "'", ",", ":", "//", "/*",
        "*/", "\\", "\n", "None", "true", "1", "-", "```", "<think>", "</think>", "\ufeff", "\udcff", "\0", "#",
    ]
)  # fmt: skip


def executes_as_itself(reply: str) -> None:
    try:
        thought = parse_thought(reply)
    except ThoughtError:
        return
    assert parse_thought(thought.as_reply()) == thought


@settings(max_examples=300)
@given(st.text() | st.lists(PIECES, max_size=14).map("".join))
@example('{"commands":[{"name":"a\\ud800"}]}')
def test_any_text_is_a_thought_or_a_thought_error(reply: str) -> None:
    executes_as_itself(reply)


@settings(max_examples=200)
@given(st.binary(), st.sampled_from([0, 5, 20, len(TEXT) - 1]))
def test_any_bytes_are_a_thought_or_a_thought_error(junk: bytes, at: int) -> None:
    executes_as_itself(junk.decode("utf-8", "surrogateescape"))
    executes_as_itself(TEXT[:at] + junk.decode("utf-8", "surrogateescape") + TEXT[at:])


@settings(max_examples=150)
@given(THOUGHTS)
def test_a_thought_reads_back_as_itself(thought: Thought) -> None:
    assert parse_thought(thought.as_reply()) == thought


@settings(max_examples=150)
@given(THOUGHTS, st.data())
def test_a_reply_cut_anywhere_never_executes(thought: Thought, data: st.DataObject) -> None:
    for reply in (thought.as_reply(), str(json.loads(thought.as_reply()))):
        assert problem_with(reply[: data.draw(st.integers(0, len(reply) - 1))])


@settings(max_examples=100)
@given(THOUGHTS, st.data())
def test_a_reply_that_lost_its_beginning_never_executes_as_another(thought: Thought, data: st.DataObject) -> None:
    reply = thought.as_reply()
    at = data.draw(st.integers(1, reply.index('"commands"')))
    try:
        found = parse_thought(reply[at:])
    except ThoughtError:
        return
    assert found.commands == thought.commands


@settings(max_examples=100)
@given(THOUGHTS)
def test_a_reply_of_python_literals_equals_its_twin_in_json(thought: Thought) -> None:
    python = str(json.loads(thought.as_reply()))
    assume("'" in python)
    assert parse_thought(python) == thought


@settings(max_examples=100)
@given(THOUGHTS, WORDS, VALUES, VALUES)
def test_a_duplicate_key_anywhere_is_asked_again(thought: Thought, key: str, one: Any, two: Any) -> None:
    pair = f"{json.dumps(key)}: {json.dumps(one)}, {json.dumps(key)}: {json.dumps(two)}"
    call = f'{{"name": "a", "args": {{{pair}}}}}'
    reply = thought.as_reply()
    assert "stands twice" in problem_with(reply[: reply.rindex("]")] + f", {call}]}}")


@settings(max_examples=100)
@given(THOUGHTS, st.text(string.printable, max_size=6).filter(lambda text: not set(text) & set("{}/<")))
def test_prose_around_changes_nothing(thought: Thought, prose: str) -> None:
    assume(prose.strip() not in ("[", '"') and not prose.rstrip().endswith("["))
    assert parse_thought(f"Well {prose} {thought.as_reply()} {prose}") == thought


@pytest.mark.parametrize(
    ("line", "mark", "text"),
    [
        ("[x] a", "x", "a"),
        ("- [>] b", ">", "b"),
        ("[ ] c", " ", "c"),
        ("d", " ", "d"),
        ("[X] e", "x", "e"),
        ("", " ", ""),
    ],
)
def test_a_plan_line_has_its_mark(line: str, mark: str, text: str) -> None:
    assert plan_mark(line) == (mark, text)
