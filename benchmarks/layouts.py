"""How the forms in which people hold pictures are read: read, refused with help, or misread.

    python -m benchmarks.layouts [--layouts DIR]

Every form of `tests/data/forms` is written with drawn pictures and read twice, from above (by its
path) and from inside (as `.`). With `--layouts`, a folder that the `make.sh` of the layouts wrote,
those cases are also read from there. Exits with 1 where a form is misread.
"""

import argparse
import os
import re
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.data.forms.form import Form

PARTS = ("folders", "tables", "formats", "published", "doubtful", "silent")
FORMS = Path(__file__).parents[1] / "tests/data/forms"

Row = tuple[str, str, str, str]
"""Part, name, verdict, and what is wrong."""


def parts() -> dict[str, list[Form]]:
    """The forms by part, of those parts that there are."""
    there = [part for part in PARTS if (FORMS / f"{part}.py").is_file()]
    return {part: import_module(f"tests.data.forms.{part}").FORMS for part in there}


def judged(form: Form, path: Path, *, ids: bool = True) -> tuple[str, str]:
    """The verdict from above and from inside, and the worse of the two where they differ."""
    above = form.judge(path, ids=ids)
    if not path.is_dir():
        return above
    before = Path.cwd()
    os.chdir(path)
    try:
        inside = form.judge(".", ids=ids)
    finally:
        os.chdir(before)
    return above if above[0] == inside[0] else ("misread", f"from inside: {inside[1] or inside[0]}")


def real(form: Form, layouts: Path) -> Path | None:
    """Where the case of the layouts lies that a form such as `a07` or `a07-whole` is called by."""
    case = re.match(r"[ab]\d\d(?![^-])", form.name)
    return layouts / case[0] / form.at if case and (layouts / case[0]).is_dir() else None


def drawn(part: str, form: Form) -> Row:
    """A form with drawn pictures."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "given"
        root.mkdir()
        return (part, form.name, *judged(form, form.write(root)))


def main() -> int:
    """Print the tables; 1 where a form is misread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layouts", type=Path, help="Folder that make.sh of the layouts wrote.")
    layouts: Path | None = parser.parse_args().layouts
    rows = [drawn(part, form) for part, forms in parts().items() for form in forms]
    if layouts is not None:
        for forms in parts().values():
            for form in forms:
                if place := real(form, layouts):
                    rows.append(("layouts", form.name, *judged(form, place, ids=False)))
    what = {form.name: form.what for forms in parts().values() for form in forms}
    print("| part | form | what | verdict |\n|---|---|---|---|")
    for part, name, verdict, why in rows:
        print(f"| {part} | {name} | {what[name]} | {verdict}{': ' if why else ''}{why} |")
    print()
    for part in dict.fromkeys(row[0] for row in rows):
        counts = Counter(row[2] for row in rows if row[0] == part)
        print(f"{part}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return int(any(row[2] in {"misread", "refused without help"} for row in rows))


if __name__ == "__main__":
    sys.exit(main())
