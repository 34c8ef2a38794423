"""Imports go down the layers of docs/architecture.md, never up or sideways."""

import ast
from pathlib import Path

import pytest

import clipfg

PACKAGE = Path(clipfg.__file__).parent

LAYERS: list[set[str]] = [  # top to bottom; siblings on one line never import each other
    {"__main__"},
    {"cli", "api"},
    {"workflows"},
    {"training"},
    {"embedding", "evaluation", "confidence", "explaining"},
    {"data", "encoders", "prompting", "heads", "coresets", "store", "icl", "mining"}
    | {"acquisition", "quality", "pages"},
    {"functional"},
    {"types", "options"},
    {"registry", "atomic", "memory", "trees", "printable", "paths", "lazy"},
    {"errors"},
    {"__init__"},
]
DEPTH = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}
MODULES = sorted(PACKAGE.rglob("*.py"))


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name == "clipfg" or name.startswith("clipfg.")}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_go_down(path: Path) -> None:
    own = layer_of(module_name(path))
    for name in imports(path):
        other = layer_of(name)
        if other == own or other not in DEPTH:  # an attribute of the package, such as __version__
            continue
        assert DEPTH[other] > DEPTH[own], f"{module_name(path)} ({own}) imports {name} ({other})"


def test_every_package_has_a_layer() -> None:
    names = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert names <= set(DEPTH)


def test_there_is_no_drawer_for_odds_and_ends() -> None:
    assert not [p for p in MODULES if p.stem in {"utils", "common", "helpers", "misc"}]
