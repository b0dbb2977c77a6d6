"""Imports go one way: from layers above to layers below."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "nstjax"

# The lowest first; a module may import from its own part and from below. A part
# is a module, or a folder, less what has a line of its own.
LAYERS = (
    ("errors", "interrupts", "types", "lazy"),
    ("precision",),
    ("ops",),
    ("models", "transforms"),
    ("losses",),
    ("sharding",),
    ("optimize",),
    ("io", "examples"),
    ("weights", "configuration"),
    ("methods",),
    ("training",),
    ("api", "weights/inspection", "export"),
    ("evaluation", "video", "painter", "cluster"),
    ("cli",),
    ("web",),
    ("__main__",),
)
# What knows nothing of pictures or networks, and what it may see of the project.
ALLOWED = {
    "optimize": {"errors", "interrupts", "types", "lazy", "precision", "optimize"},
    "training/step.py": {"errors", "types", "lazy", "sharding"},
    "training/schedules.py": {"errors", "types", "lazy"},
    "io": {"errors", "interrupts", "types", "lazy", "io"},
}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def _modules() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if "configs" not in p.parts]


def _part(module: str) -> str:
    """The part that a path below the package belongs to, such as "ops/stats"."""
    parts = [p for p in LEVEL if module == p or module.startswith(f"{p}/")]
    assert parts, f"{module} is in no layer"
    return max(parts, key=len)


def _imports(path: Path) -> set[str]:
    """Full names of everything a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module)
            if node.module == "nstjax":
                names |= {f"nstjax.{alias.name}" for alias in node.names}
    return names


def _parts_imported(path: Path) -> set[str]:
    return {
        _part(name.removeprefix("nstjax.").replace(".", "/"))
        for name in _imports(path)
        if name.startswith("nstjax.") and not name.startswith("nstjax.__version")
    }


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    place = path.relative_to(PACKAGE).as_posix()
    if place == "__init__.py":
        return
    part = _part(place.removesuffix(".py"))
    imported = _parts_imported(path)
    for other in imported - {part}:
        assert LEVEL[other] < LEVEL[part], f"{path} imports {other}"
    for name in (part, place):
        assert imported <= ALLOWED.get(name, imported), path


def test_every_part_exists():
    for part in LEVEL:
        assert (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").is_file(), part


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_is_never_imported_by_the_package(path):
    assert not {name for name in _imports(path) if name.split(".")[0] == "torch"}


def test_configs_know_only_ml_collections():
    for path in sorted((ROOT / "configs").glob("*.py")):
        known = {"nstjax.configs", "ml_collections", *sys.stdlib_module_names}
        assert _imports(path) <= known, path


def test_the_top_scripts_are_thin():
    for name in ("train.py", "stylize.py", "evaluate.py"):
        path = ROOT / name
        assert len(path.read_text().splitlines()) <= 15
        assert _parts_imported(path) == {"cli"}
