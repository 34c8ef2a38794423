"""Results know nothing of how they are shown: what renders imports them, never the reverse."""

import ast
from pathlib import Path

import pytest

import clipfg.evaluation

PACKAGE = Path(clipfg.evaluation.__file__).parent
RENDERING = {"terminal", "page", "terminal_table"}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.stem not in RENDERING)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_data_imports_no_rendering(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] not in {"rich", "jinja2", "matplotlib"}
            assert name.split(".")[-1] not in RENDERING
