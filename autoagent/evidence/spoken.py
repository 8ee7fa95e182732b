"""What of a program's own text it may say: neither comments nor the numbers that it compares, counts or cuts by."""

import ast
import re

from autoagent.thoughts import CommandCall

_COUNTING = frozenset(
    ("range", "enumerate", "round", "islice", "sleep", "head", "tail", "nlargest", "nsmallest", "most_common", "read",
     "readline", "readlines", "seek", "split", "rsplit", "zfill", "ljust", "rjust", "center", "quantiles", "quantile"),
)  # fmt: skip
_COUNTED = frozenset(
    ("start", "skiprows", "nrows", "index_col", "header", "n", "ndigits", "maxsplit", "timeout", "indent", "width")
)
_SAYS = re.compile(r"\b(?:echo|printf|print|cat|tee)\b|<<")
_COMPARED = re.compile(
    r"(?:(?:[<>]=?|[=!]=|%)|\s-(?:gt|ge|lt|le|eq|ne)|\s-[nckABCmfdwt])\s*\d+(?:\.\d+)?|(?<=sed -n )['\"]?\d+(?:,\d+)?p"
)


def spoken(call: CommandCall) -> CommandCall:
    """The call without what its program can't say."""
    code, line = call.args.get("code"), call.args.get("command")
    if isinstance(code, str):
        return call.model_copy(update={"args": {**call.args, "code": _of_python(code)}})
    if isinstance(line, str) and not _SAYS.search(line):
        return call.model_copy(update={"args": {**call.args, "command": _COMPARED.sub(" ", line)}})
    return call


def _of_python(code: str) -> str:
    try:
        return ast.unparse(_Spoken().visit(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


class _Spoken(ast.NodeTransformer):
    """Puts a name in the place of each number that only steers the program."""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        node.left, node.comparators = _without(node.left), [_without(one) for one in node.comparators]
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        node.slice = _without(node.slice)
        return node

    def visit_Slice(self, node: ast.Slice) -> ast.AST:
        self.generic_visit(node)
        node.lower, node.upper, node.step = (one and _without(one) for one in (node.lower, node.upper, node.step))
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mod | ast.FloorDiv):
            node.right = _without(node.right)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in _COUNTING:
            node.args = [_without(one) for one in node.args]
        for keyword in node.keywords:
            if name in _COUNTING or keyword.arg in _COUNTED:
                keyword.value = _without(keyword.value)
        return node


def _without(value: ast.expr) -> ast.expr:
    is_number = isinstance(value, ast.Constant) and isinstance(value.value, int | float)
    return ast.Name("_", ast.Load()) if is_number else value
