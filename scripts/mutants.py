"""Does a test notice each small change of the semantics? Mutation testing of checks/, auditor/network, auditor/access.

    python scripts/mutants.py [--seed N] [--fraction F] [--area checks|network|access]... [--module PATH]... [--again]

Why not mutmut: it reaches a function under its module's import name, and a check has none (it is loaded by path, as a
user's own); it also leaves decorated functions alone, so properties and class methods would go unasked. Here a copy
of the tree gets one change at a time and the tests that ought to notice it run in a forked child: for a check the
test at its mirrored path, for `network` and `access` all of their tests, the module's own first. The first red test
ends a run; none is a survivor. One process at a time. Results: `mutants/results.jsonl`; `--again` asks its survivors
once more, for use after rows were added to the tests. What is changed is listed at `changes`.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import importlib
import importlib.util
import json
import math
import os
import py_compile
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "mutants" / "results.jsonl"
AREAS = {"network": "auditor/network", "access": "auditor/access", "checks": "checks"}
"""The checks come last: `auditor` is imported once for all of them, and may not be before."""

FOLDERS = ("auditor", "checks", "reports", "tests", "scripts")
FILES = ("pyproject.toml", "README.md")

ENDS = ("killed", "timeout", "survived", "unreached")
PATIENCE_S = 30.0
"""What a child gets beyond five times the time that the unchanged code needs."""

ORDER: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
CALLS = {
    "passed": "unknown",
    "warned": "failed",
    "failed": "passed",
    "unknown": "passed",
    "not_applicable": "passed",
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
}
"""Called by name; a swapped outcome keeps its reason and message."""

UNTOUCHED = {"decorator_list", "annotation", "returns", "type_comment"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change: the line it is on, what it does, and the doing, which alters the tree it was found in."""

    line: int
    what: str
    make: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """The `number`th change of a module."""

    path: str
    number: int
    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant: killed, timeout (which counts as killed), survived, or unreached by any test."""

    mutant: Mutant
    end: str
    seconds: float


def changes(tree: ast.AST) -> Iterator[Change]:
    """Every change of a module, in the order of its text.

    Comparisons negated and moved by one at their edge; and/or swapped; conditions of if, while, conditional
    expressions, comprehensions and guards negated, `not` dropped; numbers raised by one, True and False swapped;
    strings that are compared, looked up, or members of a literal collection altered; + and -, | and &, any and all,
    min and max swapped; outcomes swapped; a returned value left out, a yield never reached; break and continue
    dropped. Docstrings, messages and the names of their facts, words of commands, decorators and annotations stay.
    """
    for field, value in ast.iter_fields(tree):
        if field in UNTOUCHED:
            continue
        for index, node in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(node, ast.AST) or _is_docstring(node) or _says_nothing(node):
                continue
            yield from _here(node, tree, field, lambda new, f=field, i=index: _put(tree, f, i, new))  # type: ignore[misc]
            yield from changes(node)


def _put(parent: ast.AST, field: str, index: int | None, new: ast.AST) -> None:
    if index is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[index] = new


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _says_nothing(node: ast.AST) -> bool:
    """Imports for mypy's eyes only, and the list of what is exported."""
    return (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING") or (
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )


def _here(node: ast.AST, parent: ast.AST, field: str, put: Callable[[ast.AST], None]) -> Iterator[Change]:
    line = getattr(node, "lineno", 0)
    before = ast.unparse(node) if isinstance(node, ast.expr | ast.Return | ast.Expr) else ""

    def instead(new: ast.expr) -> Change:
        return Change(line, f"{_short(before)}  ->  {_short(ast.unparse(new))}", lambda: put(new))

    match node:
        case ast.Compare(left, [operator], comparators):
            for other in ORDER[type(operator)]:
                yield instead(ast.Compare(left, [other()], comparators))
        case ast.Compare(left, operators, comparators):
            for i, operator in enumerate(operators):
                others = [*operators[:i], ORDER[type(operator)][0](), *operators[i + 1 :]]
                yield instead(ast.Compare(left, others, comparators))
        case ast.BoolOp(operator, values):
            yield instead(ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values))
        case ast.UnaryOp(ast.Not(), operand):
            yield instead(operand)
        case ast.BinOp(left, operator, right) if type(operator) in ARITHMETIC:
            yield instead(ast.BinOp(left, ARITHMETIC[type(operator)](), right))
        case ast.Call(ast.Name(name), arguments, keywords) if name in CALLS:
            yield instead(ast.Call(ast.Name(CALLS[name], ast.Load()), arguments, keywords))
        case ast.Constant(bool() as truth) if not (isinstance(parent, ast.keyword) and parent.arg == "strict"):
            yield instead(ast.Constant(not truth))
        case ast.Constant(int() as number) if not isinstance(number, bool):
            yield instead(ast.Constant(number + 1))
        case ast.Constant(str() as text) if _decides(parent):
            yield instead(ast.Constant(text + "~"))
        case ast.Return(value) if value is not None and ast.unparse(value) != "None":
            yield Change(line, f"{_short(before)}  ->  return None", lambda: put(ast.Return(ast.Constant(None))))
        case ast.Expr(ast.Yield() | ast.YieldFrom()):
            never = ast.If(ast.Constant(False), [node], [])
            yield Change(line, f"{_short(before)}  ->  never reached", lambda: put(never))
        case ast.Break() | ast.Continue():
            word = type(node).__name__.lower()
            yield Change(line, f"{word}  ->  pass", lambda: put(ast.Pass()))
        case _:
            pass
    if _is_condition(parent, field) and isinstance(
        node, ast.Name | ast.Attribute | ast.Call | ast.BoolOp | ast.NamedExpr
    ):
        yield instead(ast.UnaryOp(ast.Not(), node))


def _is_condition(parent: ast.AST, field: str) -> bool:
    return (field == "test" and isinstance(parent, ast.If | ast.While | ast.IfExp)) or (
        (field == "ifs" and isinstance(parent, ast.comprehension))
        or (field == "guard" and isinstance(parent, ast.match_case))
    )


def _decides(parent: ast.AST) -> bool:
    """Whether a string at this place is compared, looked up or listed, and not merely shown."""
    if isinstance(parent, ast.Tuple | ast.List):
        texts = [each.value for each in parent.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        return len(texts) == len(parent.elts) and not any(text == "az" or text.startswith("-") for text in texts)
    return isinstance(parent, ast.Compare | ast.Subscript | ast.Set | ast.MatchValue)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:60]} … {line[-25:]}"


def mutants(path: str) -> list[Mutant]:
    """All mutants of a module, named by its path below the project."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return [Mutant(path, number, change.line, change.what) for number, change in enumerate(changes(tree))]


def mutated(mutant: Mutant) -> str:
    """The module's source with the one change made."""
    tree = ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
    for number, change in enumerate(changes(tree)):
        if number == mutant.number:
            change.make()
            return ast.unparse(ast.fix_missing_locations(tree))
    raise LookupError(f"{mutant.path} has no change {mutant.number}")


def modules(area: str) -> list[str]:
    """The modules of an area, by path below the project."""
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / AREAS[area]).rglob("*.py"))]


def area_of(path: str) -> str:
    """`checks`, `network` or `access`."""
    return next(area for area, folder in AREAS.items() if path.startswith(folder + "/"))


def tests_of(path: str) -> list[str]:
    """The tests that ought to notice a change of a module: the likeliest first."""
    module = Path(path)
    if area_of(path) == "checks":
        return [f"tests/checks/{module.parent.name}/test_{module.name}"]
    folder = f"tests/{area_of(path)}"
    all_of_them = [str(each.relative_to(ROOT)) for each in sorted((ROOT / folder).glob("test_*.py"))]
    return sorted(all_of_them, key=lambda each: each != f"{folder}/test_{module.name}")


def sample(paths: Sequence[str], fraction: float, seed: int) -> list[Mutant]:
    """The same share of every module, at least one of each; the same seed draws the same of an unchanged module."""
    chosen = []
    for path in paths:
        found = mutants(path)
        wanted = math.ceil(fraction * len(found))
        picked = random.Random(f"{seed} {path}").sample(found, wanted)  # noqa: S311
        chosen += sorted(picked, key=lambda mutant: mutant.number)
    return chosen


def copy_of_the_tree(below: Path) -> Path:
    """A copy to change, with the full lists beside it where this checkout has them (some tests read them)."""
    tree = below / "tree"
    tree.mkdir()
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, tree / name)
    compileall.compile_dir(tree, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    beside = ROOT.parent / "shared"
    if beside.is_dir():
        (below / "shared").symlink_to(beside.resolve())
    return tree


@dataclass(frozen=True, slots=True)
class Reach:
    """Which tests run which lines, and how long each takes; `""` stands for what is run while tests are collected."""

    tests: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]

    def of(self, mutant: Mutant, own: str) -> list[str] | None:
        """The tests that can notice a mutant, quickest first; None: every test might.

        Those that run its statement, and all of the module's own test file: what a test table made once and shares
        is not run again for each row.
        """
        lines = _statement(mutant)
        hit = set().union(*(self.tests.get(mutant.path, {}).get(line, set()) for line in lines or ()))
        if lines is None or "" in hit:
            return None
        if not hit:
            return []
        hit |= {test for test in self.seconds if test.startswith(own + "::")}
        return sorted(hit, key=lambda test: self.seconds.get(test, 0.0))


def _statement(mutant: Mutant) -> range | None:
    """The lines of the innermost statement a mutant lies in; None for what runs on import."""
    inside, found = False, None
    nodes: list[ast.AST] = [ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.stmt) and node.lineno <= mutant.line <= (node.end_lineno or 0):
            function = isinstance(node, ast.FunctionDef)
            inside = inside or (function and mutant.line >= node.body[0].lineno)  # type: ignore[attr-defined]
            found = range(node.lineno, (node.end_lineno or 0) + 1)
            nodes = []
        nodes.extend(ast.iter_child_nodes(node))
    return found if inside else None


class _Recorder:
    """A plugin of pytest that notes which test runs which line, with nothing remembered from the test before."""

    def __init__(self, coverage: Any) -> None:
        self.coverage, self.seconds = coverage, dict[str, float]()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("auditor."):
                for value in list(vars(module).values()):
                    if callable(clear := getattr(value, "cache_clear", None)):
                        clear()
        self.coverage.switch_context(nodeid)
        self.seconds[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] = time.monotonic() - self.seconds[nodeid]
        self.coverage.switch_context("")


class _Chosen:
    """A plugin of pytest that keeps the tests of a list, in its order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.order = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.order), key=lambda item: self.order[item.nodeid])


def in_a_child(work: Callable[[], int], limit_s: float) -> tuple[str, float]:
    """Does the work in a forked child: killed (not 0), survived (0) or timeout, and the seconds it took."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        try:
            os._exit(work())
        finally:
            os._exit(99)
    while time.monotonic() - began < limit_s:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            ended = os.waitstatus_to_exitcode(status)
            return "survived" if ended == 0 else "killed", time.monotonic() - began
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout", time.monotonic() - began


def run_tests(files: Sequence[str], *plugins: object) -> int:
    """What pytest answers; the first red test ends it."""
    import pytest

    return int(pytest.main(["-x", "-q", "-m", "not long", "-p", "no:cacheprovider", *files], plugins=list(plugins)))


def record(files: Sequence[str], folder: str, into: Path) -> int:
    """Runs tests with nothing changed, and writes down who runs what."""
    import coverage

    measuring = coverage.Coverage(data_file=None, include=[f"{os.getcwd()}/{folder}/*"], config_file=False)
    recorder = _Recorder(measuring)
    measuring.start()
    answer = run_tests(files, recorder)
    measuring.stop()
    data = measuring.get_data()
    rows = {
        os.path.relpath(file): {line: sorted(set(tests)) for line, tests in data.contexts_by_lineno(file).items()}
        for file in data.measured_files()
    }
    into.write_text(json.dumps([rows, recorder.seconds]), encoding="utf-8")
    return answer


def reach(files: Sequence[str], folder: str) -> tuple[Reach, float]:
    """Who runs what, and the seconds of a whole run; a test that is red without a change ends it all."""
    with tempfile.TemporaryDirectory() as folder_for_it:
        written = Path(folder_for_it) / "reach.json"
        sys.dont_write_bytecode = False  # what pytest makes of the test files is kept
        end, seconds = in_a_child(lambda: record(files, folder, written), 3600)
        sys.dont_write_bytecode = True
        if end != "survived":
            raise SystemExit(f"error: not green without any change: {' '.join(files)}")
        rows, durations = json.loads(written.read_text(encoding="utf-8"))
    lines = {path: {int(n): set(tests) for n, tests in row.items()} for path, row in rows.items()}
    return Reach(lines, durations), seconds


def ask(chosen: Sequence[Mutant], tree: Path) -> Iterator[Result]:
    """What became of each mutant, one after another."""
    known: dict[tuple[str, ...], tuple[Reach, float]] = {}
    for mutant in chosen:
        files = tests_of(mutant.path)
        suite = tuple(sorted(files))
        if area_of(mutant.path) == "checks":
            importlib.import_module("tests.estate")
        if suite not in known:
            known[suite] = reach(files, str(Path(mutant.path).parent))
        reached, usual_s = known[suite]
        tests = reached.of(mutant, files[0])
        if tests == []:
            yield Result(mutant, "unreached", 0.0)
            continue
        plugins = () if tests is None else (_Chosen(tests),)
        needed = files if tests is None else sorted({test.split("::")[0] for test in tests})
        place = tree / mutant.path
        original = place.read_bytes()
        compiled = Path(importlib.util.cache_from_source(str(place)))
        aside = compiled.rename(compiled.with_suffix(".aside"))
        place.write_text(mutated(mutant), encoding="utf-8")
        end, seconds = in_a_child(lambda n=needed, p=plugins: run_tests(n, *p), PATIENCE_S + 5 * usual_s)  # type: ignore[misc]
        place.write_bytes(original)
        aside.rename(compiled)
        yield Result(mutant, end, seconds)


def interval(killed: int, asked: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, killed / asked
    middle = share + z * z / (2 * asked)
    half = z * math.sqrt(share * (1 - share) / asked + z * z / (4 * asked * asked))
    return (middle - half) / (1 + z * z / asked), (middle + half) / (1 + z * z / asked)


def table(results: Sequence[Result], all_of: dict[str, int]) -> str:
    """Per module and area: mutants there are, asked, and how they ended; the score with its interval."""
    lines = [f"{'module':<56}{'all':>6}{'asked':>7}" + "".join(f"{end:>10}" for end in ENDS)]

    def row(name: str, there_are: int, of: Sequence[Result]) -> str:
        count = [sum(result.end == end for result in of) for end in ENDS]
        text = f"{name:<56}{there_are:>6}{len(of):>7}" + "".join(f"{number:>10}" for number in count)
        if name in (*AREAS, "all") and of:
            killed = count[0] + count[1]
            low, high = interval(killed, len(of))
            text += f"   {killed / len(of):.1%} (95 %: {low:.1%} to {high:.1%})"
        return text

    for path in all_of:
        lines.append(row(path, all_of[path], [r for r in results if r.mutant.path == path]))
    for area in AREAS:
        of = [r for r in results if area_of(r.mutant.path) == area]
        if of:
            lines.append(row(area, sum(n for path, n in all_of.items() if area_of(path) == area), of))
    lines.append(row("all", sum(all_of.values()), results))
    return "\n".join(lines)


def warm_up(tree: Path) -> None:
    """Imports what stays the same for every mutant, so that a child need not; nothing of the project itself."""
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and each costs time
    import hypothesis
    import hypothesis.strategies
    import msgspec
    import pytest
    import z3

    del hypothesis, msgspec, pytest, z3


def survivors_of(file: Path) -> list[Mutant]:
    """Those that survived the last time."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [Mutant(**row["mutant"]) for row in rows if row["end"] in ("survived", "unreached")]


def main() -> None:
    """Draws, asks, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--fraction", type=float, default=0.1, help="of each module's mutants; 1 asks all")
    parser.add_argument("--area", action="append", choices=list(AREAS), help="repeatable; all three without it")
    parser.add_argument("--module", action="append", help="a module's path; repeatable")
    parser.add_argument("--again", action="store_true", help="ask the survivors of the last results once more")
    parser.add_argument("--list", action="store_true", help="only count the mutants there are")
    options = parser.parse_args()
    paths = options.module or [path for area in options.area or AREAS for path in modules(area)]
    paths = sorted(paths, key=lambda path: (list(AREAS).index(area_of(path)), path))
    if options.again:
        chosen = [mutant for mutant in survivors_of(RESULTS) if mutant.path in paths]
    else:
        chosen = sample(paths, options.fraction, options.seed)
    all_of = {path: len(found) for path in paths if (found := mutants(path))}
    if options.list:
        print(table([], all_of))
        return
    results: list[Result] = []
    RESULTS.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as below, open(f"{RESULTS}.new", "w") as file:
        tree = copy_of_the_tree(Path(below))
        warm_up(tree)
        for result in ask(chosen, tree):
            results.append(result)
            print(json.dumps(asdict(result)), file=file, flush=True)
            if result.end != "killed":
                place = f"{result.mutant.path}:{result.mutant.line}"
                print(f"{len(results)}/{len(chosen)} {result.end}: {place}: {result.mutant.what}", flush=True)
        os.chdir(ROOT)
    os.replace(f"{RESULTS}.new", RESULTS)
    print(f"seed {options.seed}, fraction {options.fraction:g}")
    print(table(results, all_of))


if __name__ == "__main__":
    main()
