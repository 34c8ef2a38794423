"""What belongs together: by column, expression, folder and time stamp, and what is refused."""

from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from clipfg.data.grouping import burst_seconds, grouped_by, with_groups
from clipfg.data.images.time_stamps import Shot, shots_at
from clipfg.data.loading import load_dataset
from clipfg.errors import DataError, UsageError
from clipfg.types import Hints, Manifest

TAKEN, SERIAL = 0x9003, 0xA431
CLOCK = ("10:00:00", "10:00:40", "10:01:30", "10:03:00", None, "10:00:20")
"""The last is of another camera."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    lines = ["path,label,plant"]
    for number, clock in enumerate(CLOCK):
        exif = Image.Exif()
        if clock:
            own = exif.get_ifd(0x8769)
            own[TAKEN], own[SERIAL] = f"2024:05:01 {clock}", "B" if number == 5 else "A"
        place = folder / f"site{number // 3}"
        place.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(
            place / f"p{number // 2}_{number}.jpg", exif=exif
        )
        name = f"{place.name}/p{number // 2}_{number}.jpg"
        lines.append(f"{name},{'ab'[number % 2]},{['x', 'y', ''][number // 2]}")
    (folder / "list.csv").write_text("\n".join(lines))
    return folder


def groups(folder: Path, by: str) -> list[str | None]:
    manifest = load_dataset(str(folder / "list.csv"), hints=Hints(group_by=by))
    found = grouped_by(manifest, by).column("group")
    assert found is not None
    return found


def test_every_way_to_say_it(photos: Path) -> None:
    assert groups(photos, "plant") == ["x", "x", "y", "y", None, None]
    assert groups(photos, r"(p\d)_") == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert [str(g)[-5:] for g in groups(photos, "folder")] == ["site0"] * 3 + ["site1"] * 3
    first = "site0/p0_0.jpg"
    alone = ["site1/p1_3.jpg", None, "site1/p2_5.jpg"]
    assert groups(photos, "burst:60s") == [first] * 3 + alone
    assert groups(photos, "burst:45s") == [first] * 2 + ["site0/p1_2.jpg", *alone]


def test_shots_are_what_exif_says(photos: Path) -> None:
    found = shots_at([str(photos / "site0" / "p0_0.jpg"), "/nowhere.jpg", "synthflora:0/test/1"])
    assert found == [Shot(datetime(2024, 5, 1, 10), "A"), None, None]


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("plantt", "Expected for --group-by a column of list"),
        ("p(?:0)_", "Expected a group in --group-by"),
        ("p(", "Expected a regular expression for --group-by"),
        ("(nowhere)", "Expected --group-by to be found in the ids"),
        ("burst:soon", "Expected a pause such as burst:60s"),
    ],
)
def test_what_cannot_be_meant_is_said(photos: Path, by: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        groups(photos, by)


def test_bursts_need_time_stamps() -> None:
    manifest = Manifest.build("x", {"uri": ["/a.jpg", "/b.jpg"]})
    with pytest.raises(DataError, match="DateTimeOriginal"):
        grouped_by(manifest, "burst")


def test_pauses() -> None:
    assert [burst_seconds(x) for x in ("burst", "burst:5m", "burst:1.5h")] == [60, 300, 5400]


def test_groups_join_the_parts_of_pictures() -> None:
    """Two plants in one picture make one group; a picture of none stands alone."""
    uris = ["a", "a", "b", "c", "d"]
    parts = Manifest.build("x", {"id": [*"12345"], "uri": uris})
    found = with_groups(parts, ["p", "q", "q", "r", None]).groups
    assert found is not None
    assert found.tolist()[:3] == [found[0]] * 3
    assert len({*found.tolist()}) == 3
