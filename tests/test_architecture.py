"""Imports go one way: from layers above to layers below."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "nstjax"

# The lowest first; a module may import from its own folder and from below.
LAYERS = (
    ("errors", "types", "processor", "lazy", "xla"),
    ("precision",),
    ("ops",),
    ("models", "transforms", "losses"),
    ("objectives", "feedforward"),
    ("sharding", "tiling"),
    ("memory",),
    ("optimize", "training"),
    ("io", "examples"),
    ("pictures",),
    ("conversion",),
    ("store",),
    ("registry",),
    ("tasks",),
    ("configuration", "per_image", "one_pass"),
    ("methods",),
    ("api", "inspection"),
    ("evaluation",),
    ("cli",),
    ("__main__",),
)
# Packages that know nothing of pictures or networks, and what they may see of
# the project.
ALLOWED = {
    "optimize": {"errors", "types", "lazy", "optimize", "sharding"},
    "training": {"errors", "types", "lazy", "training", "sharding", "precision"},
    "io": {"errors", "types", "lazy", "io"},
}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def _modules() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if "configs" not in p.parts]


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


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
        name.split(".")[1]
        for name in _imports(path)
        if name.startswith("nstjax.") and not name.startswith("nstjax.__")
    }


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    part = _part(path)
    if part == "__init__":
        return
    assert part in LEVEL, f"{part} is in no layer"
    imported = _parts_imported(path)
    for other in imported - {part}:
        assert LEVEL[other] < LEVEL[part], f"{path} imports {other}"
    if part in ALLOWED:
        assert imported <= ALLOWED[part]


def test_every_layer_exists():
    parts = {_part(path) for path in _modules()}
    assert {"ops", "models", "losses", "optimize", "training", "io", "cli"} <= parts


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_is_never_imported_by_the_package(path):
    assert not {name for name in _imports(path) if name.split(".")[0] == "torch"}


def test_configs_know_only_ml_collections():
    for path in sorted((ROOT / "configs").glob("*.py")):
        roots = {name.split(".")[0] for name in _imports(path)}
        assert roots - sys.stdlib_module_names <= {"configs", "ml_collections"}, path


def test_the_top_scripts_are_thin():
    for name in ("train.py", "stylize.py", "evaluate.py"):
        path = ROOT / name
        assert len(path.read_text().splitlines()) <= 15
        assert _parts_imported(path) == {"cli"}
