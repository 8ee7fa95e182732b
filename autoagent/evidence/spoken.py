"""What of a program's own text it may say: neither comments nor the numbers that it only compares or cuts by."""

import ast

from autoagent.thoughts import CommandCall

_FEW = 2  # the first number of an enumeration, at most


def spoken(call: CommandCall) -> CommandCall:
    """The call without what its program can't say. Of a shell line that can't be told."""
    code = call.args.get("code")
    if not isinstance(code, str):
        return call
    return call.model_copy(update={"args": {**call.args, "code": _of_python(code)}})


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

    def visit_Slice(self, node: ast.Slice) -> ast.AST:
        self.generic_visit(node)
        node.lower, node.upper, node.step = (one and _without(one) for one in (node.lower, node.upper, node.step))
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        node.test = _remainder(node.test)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs = [_remainder(one) for one in node.ifs]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node.func, node.args:
            case ast.Name(id="enumerate"), [of, ast.Constant(value=int(first))] if first <= _FEW:
                node.args = [of]
            case ast.Name(id="round"), [of, ast.Constant(value=int())]:
                node.args = [of]
            case _:
                pass
        return node


def _without(value: ast.expr) -> ast.expr:
    is_number = isinstance(value, ast.Constant) and isinstance(value.value, int | float)
    return ast.Name("_", ast.Load()) if is_number else _remainder(value)


def _remainder(test: ast.expr) -> ast.expr:
    """`n % 100`, where it is only looked at; elsewhere it may be a text with a figure put in."""
    for node in ast.walk(test):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and not isinstance(node.left, ast.Constant):
            node.right = _name_for(node.right)
    return test


def _name_for(value: ast.expr) -> ast.expr:
    is_number = isinstance(value, ast.Constant) and isinstance(value.value, int | float)
    return ast.Name("_", ast.Load()) if is_number else value
