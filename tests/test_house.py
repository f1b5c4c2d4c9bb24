"""The laws of the house."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from khosim.steps import PATHS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "khosim"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)

BASE = {"config", "errors", "steps"}
MAY_IMPORT = {
    "config": {"errors"},
    "errors": set(),
    "steps": set(),
    "state": {"config", "errors", "state"},
    "kernel": BASE | {"state", "kernel"},
    "run": BASE | {"state", "run"},
    "variants": BASE | {"state", "kernel", "variants"},
    "user": BASE | {"state", "kernel", "run", "variants", "user"},
    "scenarios": BASE | {"state", "kernel", "run", "variants", "user", "scenarios"},
    "teach": BASE | {"__init__", "state", "kernel", "run", "user", "variants", "scenarios", "show", "teach"},
    "show": BASE | {"state", "run", "show"},
    "conform": BASE | {"state", "kernel", "run", "user", "conform"},
    "compare": BASE | {"kernel", "user", "compare"},
    "cli": BASE | {"__init__", "run", "scenarios", "show", "conform", "compare", "variants", "teach"},
    "__main__": {"cli"},
    "__init__": BASE | {"compare", "kernel", "run", "state", "user", "show"},
}
"""Room -> the rooms it may import. `__init__` is the door; it alone ties histories to their pictures."""

LONG_BODIES = {
    "shmem_get_folio_gfp": "mirrors the C label by label, so that the two can be read side by side",
}
LONG_FILES: dict[str, str] = {}
BODY, PATH_BODY, FILE = 30, 40, 250


def room(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def tree(path):
    return ast.parse(path.read_text(), str(path))


def khosim_imports(path):
    for node in ast.walk(tree(path)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name == "khosim" or name.startswith("khosim."):
                rest = name.removeprefix("khosim").removeprefix(".").split(".")[0]
                yield rest if rest in MAY_IMPORT else "__init__"


def functions(path):
    return [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function):
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def is_path(function):
    return any(isinstance(d, ast.Name) and d.id == "path" for d in function.decorator_list)


def kernel_files():
    return [path for path in FILES if room(path) == "kernel" and path.name != "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_the_rooms_it_may(path):
    assert set(khosim_imports(path)) <= MAY_IMPORT[room(path)]


def test_the_package_loads_no_pictures_and_no_widgets():
    code = (
        "import sys, khosim; print({'matplotlib', 'ipywidgets', 'anywidget', 'IPython'} & set(sys.modules) or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "none"


def test_the_core_needs_numpy_alone():
    code = (
        "import sys, khosim; m = khosim.boot(); fd = m.os.memfd_create('a', khosim.MFD_KHO)\n"
        "tops = {n.split('.')[0] for n in sys.modules} - set(sys.stdlib_module_names) - {'__main__', 'khosim'}\n"
        "print(sorted(n for n in tops if not n.startswith(('_', 'sitecustomize', 'usercustomize'))))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", "import sys; sys.path.insert(0, '.')\n" + code], cwd=ROOT,
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == "['numpy']"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_path_is_called_with_yield_from(path):
    parents = {child: node for node in ast.walk(tree(path)) for child in ast.iter_child_nodes(node)}
    calls = [n for n in parents if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in PATHS]
    loose = [call.lineno for call in calls if not isinstance(parents[call], ast.YieldFrom | ast.Lambda | ast.Return)]
    handed_over = {"kexec.py", "session.py", "luck.py", "heap.py"}  # they give a path to a Run, which drives it
    assert not loose or path.name in handed_over, f"lines {loose}: write `yield from`"


@pytest.mark.parametrize("path", kernel_files(), ids=lambda path: path.name)
def test_the_kernel_is_prose_without_numpy_and_says_what_it_follows(path):
    assert "numpy" not in path.read_text()
    for function in functions(path):
        if is_path(function):
            words = ast.get_docstring(function) or ""
            missing = [mark for mark in ("Kernel:", "Locks:", "Left out:") if mark not in words]
            assert not missing, f"{function.name} does not say {missing}"
            first = words.split("\n\n")[0]
            assert first.endswith("."), f"{function.name}: one sentence first"
            assert function.args.args[0].arg == "m", f"{function.name} takes the machine first"


def test_state_never_yields_a_step():
    for path in FILES:
        if room(path) == "state":
            assert "steps" not in set(khosim_imports(path))


def test_luck_has_one_door():
    for path in FILES:
        if room(path) == "compare":
            continue  # it makes random programs, and runs them; the model is not in it
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {a.name for a in node.names} | {getattr(node, "module", None)}
                assert not names & {"random", "time", "secrets", "datetime", "uuid"}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"hash", "id"}, f"{path}: hash() is salted, id() is an address"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_bodies_and_files_are_short(path):
    lines = len(path.read_text().splitlines())
    assert lines <= FILE or path.relative_to(PACKAGE).as_posix() in LONG_FILES, f"{lines} lines"
    for function in functions(path):
        limit = PATH_BODY if is_path(function) else BODY
        assert body_lines(function) <= limit or function.name in LONG_BODIES, f"{function.name}: {body_lines(function)}"


def test_no_exemption_is_kept_that_nobody_needs():
    lengths = {f.name: (body_lines(f), is_path(f)) for path in FILES for f in functions(path)}
    for name in LONG_BODIES:
        count, path = lengths[name]
        assert count > (PATH_BODY if path else BODY), f"{name} is short enough"
    for name in LONG_FILES:
        assert len((PACKAGE / name).read_text().splitlines()) > FILE, f"{name} is short enough"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_a_module_offers_is_listed_and_documented(path):
    module = tree(path)
    offered = next(
        (ast.literal_eval(n.value) for n in module.body
         if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "__all__"), None,
    )  # fmt: skip
    assert ast.get_docstring(module), "a module says what it is"
    public = [
        n for n in module.body
        if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")
    ]  # fmt: skip
    for node in public:
        assert ast.get_docstring(node), f"{node.name} has no docstring"
    if offered is not None:
        assert len(offered) == len(set(offered))


def test_every_step_fits_the_line_it_is_told_in():
    for path in kernel_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"Step", "Warn", "Retry"}:
                text = node.args[1]
                if isinstance(text, ast.Constant):
                    assert len(text.value) <= 84, f"{path.name}: {text.value}"
