"""Mutants that mutmut does not make: of tables and properties, of what is returned, and with statements cut out.

mutmut (3) changes the inside of functions without decorators. The rooms decide by tables and constants outside of
functions, too, and by properties; and a rule is most plainly lost when its statement is not there any more.
"""

from __future__ import annotations

import ast
import copy
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

_SWAPPED: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_UNCHANGED = (ast.Import, ast.ImportFrom, ast.JoinedStr)
_UNREAD = ("annotation", "returns", "decorator_list", "bases", "keywords")  # of a class, and of a function's head


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed module, ready to run."""

    line: int
    kind: str
    before: str
    after: str
    code: CodeType


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One node to put into the place of another."""

    holder: ast.AST
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST
    kind: str

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.holder, self.field, node)
        else:
            getattr(self.holder, self.field)[self.index] = node


def mutants(source: str, filename: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines."""
    tree = ast.parse(source)
    for change in list(_changes(tree, outside=True)):
        ast.fix_missing_locations(ast.copy_location(change.new, change.old))
        change.put(change.new)
        code = compile(tree, filename, "exec", dont_inherit=True)
        change.put(change.old)
        yield Mutant(
            line=getattr(change.old, "lineno", 0), kind=change.kind, before=_shown(change.old),
            after=_shown(change.new), code=code,
        )  # fmt: skip


def _shown(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0][:120] or type(node).__name__


def _changes(holder: ast.AST, *, outside: bool) -> Iterator[_Change]:
    for field, value in ast.iter_fields(holder):
        if field in _UNREAD and not isinstance(holder, ast.Call):
            continue
        for index, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or _is_left_out(node):
                continue
            place = index if isinstance(value, list) else None
            is_entry = isinstance(holder, ast.Tuple | ast.List | ast.Set) and len(holder.elts) > 1
            for kind, new in _instead(node, outside=outside, is_entry=is_entry):
                yield _Change(holder=holder, field=field, index=place, old=node, new=new, kind=kind)
            inner = outside if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else not _is_mutmuts(node)
            yield from _changes(node, outside=inner)


def _is_left_out(node: ast.AST) -> bool:
    """Tell whether a node says nothing at run time: imports, docstrings, what is for the type checker."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name):
        return node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id in ("__all__", "__slots__")
    return isinstance(node, _UNCHANGED)


def _is_mutmuts(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = [ast.unparse(decorator) for decorator in function.decorator_list]
    return names in ([], ["classmethod"], ["staticmethod"])


def _instead(node: ast.AST, *, outside: bool, is_entry: bool) -> Iterator[tuple[str, ast.AST]]:
    """Yield what may stand in the place of a node; an entry of a table is cut out as a whole instead."""
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.AugAssign():
            yield "cut out", ast.Pass()
        case ast.If() if not (len(node.body) == 1 and isinstance(node.body[0], ast.Raise)):
            yield "branch cut out", ast.If(test=ast.Constant(value=False), body=node.body, orelse=node.orelse)
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "returned", ast.Return(value=_opposite(value))
    if outside:
        yield from _outside(node, is_entry=is_entry)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _opposite(value: ast.expr) -> ast.expr:
    """Return the other answer to a yes or no, and None for everything else."""
    match value:
        case ast.Compare() | ast.Constant(value=bool()) | ast.Call(func=ast.Name(id="any" | "all" | "bool")):
            return ast.UnaryOp(op=ast.Not(), operand=value)
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return ast.UnaryOp(op=ast.Not(), operand=value)
    return ast.Constant(value=None)


def _outside(node: ast.AST, *, is_entry: bool) -> Iterator[tuple[str, ast.AST]]:
    """Yield what mutmut would do inside of functions, and tables with an entry less."""
    match node:
        case ast.Constant(value=bool() as value):
            yield "constant", ast.Constant(value=not value)
        case ast.Constant(value=int() | float() as value):
            yield from (("constant", ast.Constant(value=changed)) for changed in (value + 1, value - 1))
        case ast.Constant(value=str() as value) if networks := list(_networks(value)):
            yield from (("network", ast.Constant(value=changed)) for changed in networks)
        case ast.Constant(value=str() as value) if not is_entry:
            yield "constant", ast.Constant(value=f"XX{value}")
        case ast.Constant(value=bytes() as value):
            yield "constant", ast.Constant(value=b"XX" + value)
        case ast.Tuple() | ast.List() | ast.Set() if len(node.elts) > 1:
            for index, entry in enumerate(node.elts):
                shorter = copy.copy(node)
                shorter.elts = _without(node.elts, index)
                yield f"entry {ast.unparse(entry)} cut out", shorter
        case ast.Dict() if len(node.keys) > 1:
            for index, entry in enumerate(node.values):
                shorter_map = ast.Dict(keys=_without(node.keys, index), values=_without(node.values, index))
                yield f"entry {ast.unparse(entry)} cut out", shorter_map
        case ast.Compare(ops=[operator]) if type(operator) in _SWAPPED:
            yield (
                "operator",
                ast.Compare(left=node.left, ops=[_SWAPPED[type(operator)]()], comparators=node.comparators),
            )
        case ast.BoolOp(op=operator):
            yield "operator", ast.BoolOp(op=_SWAPPED[type(operator)](), values=node.values)
        case ast.BinOp(op=operator) if type(operator) in _SWAPPED:
            yield "operator", ast.BinOp(left=node.left, op=_SWAPPED[type(operator)](), right=node.right)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "operator", operand
        case ast.IfExp(body=body, orelse=orelse):
            yield from (("operator", branch) for branch in (body, orelse))


def _without(values: list[Any], index: int) -> list[Any]:
    return values[:index] + values[index + 1 :]


def _networks(text: str) -> Iterator[str]:
    """Yield a network half as large, and one twice as large."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return
    if "/" in text:
        yield from (str(changed) for changed in (next(network.subnets()), network.supernet()) if changed != network)
