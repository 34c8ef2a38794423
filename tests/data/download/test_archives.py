"""Archives of others, the hostile ones first."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from clipfg.data.download import archives as unpacking
from clipfg.data.download.archives import unpack
from clipfg.errors import DataError

EVIL = ["../evil", "a/../../evil", "/evil", "a/b/../../../evil", "..\\evil", "C:/evil"]


def tar(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def files(folder: Path) -> dict[str, bytes]:
    found = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.tar", "w"), ("a.tgz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.tar.xz", "w:xz")],
)
def test_tars(name: str, mode: str, tmp_path: Path) -> None:
    content = {"top/jpg/1.jpg": b"one", "./top/2.txt": b"two" * 1000, "top/empty": b""}
    unpack(tar(tmp_path / name, dict(content), mode), tmp_path / "out")
    assert files(tmp_path / "out") == {k.removeprefix("./"): v for k, v in content.items()}


def test_zips(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2750/River/River_1.jpg", b"x" * 5000)
        archive.mkdir("2750/Forest")
        link = zipfile.ZipInfo("2750/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/hostname")
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert files(tmp_path / "out") == {"2750/River/River_1.jpg": b"x" * 5000}
    assert (tmp_path / "out/2750/Forest").is_dir()


@pytest.mark.parametrize("name", EVIL)
def test_names_that_lead_out(name: str, tmp_path: Path) -> None:
    inner = tmp_path / "deep/er/folder"
    with pytest.raises(DataError, match="inside the archive's own folder"):
        unpack(tar(tmp_path / "a.tar", {"fine": b"1", name: b"evil"}, "w"), inner)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, b"evil")
    with pytest.raises(DataError, match="inside the archive's own folder"):
        unpack(tmp_path / "a.zip", inner)
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/evil").exists()


def test_links_and_devices_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "secret").write_text("secret")
    members: dict[str, bytes | tarfile.TarInfo] = {
        "out": special("out", tarfile.SYMTYPE, str(tmp_path)),
        "out/secret": b"overwritten",  # through the link, if it had been made
        "hard": special("hard", tarfile.LNKTYPE, "../secret"),
        "pipe": special("pipe", tarfile.FIFOTYPE),
        "disk": special("disk", tarfile.BLKTYPE),
    }
    unpack(tar(tmp_path / "a.tar", members, "w"), tmp_path / "unpacked")
    assert files(tmp_path / "unpacked") == {"out/secret": b"overwritten"}
    assert not (tmp_path / "unpacked/out").is_symlink()
    assert (tmp_path / "secret").read_text() == "secret"
    assert "4 links or devices" in caplog.text


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FLOOR", 100_000)
    bomb = {"zeros": b"\0" * 10_000_000}
    with pytest.raises(DataError, match="to unpack to at most 20 times"):
        unpack(tar(tmp_path / "a.tgz", dict(bomb)), tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bomb["zeros"])
    with pytest.raises(DataError, match="to unpack to at most 20 times"):
        unpack(tmp_path / "a.zip", tmp_path / "b")
    written = sum(p.stat().st_size for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert written < 2 << 20
    monkeypatch.setattr(unpacking, "MEMBERS", 3)
    with pytest.raises(DataError, match="at most 3 files"):
        unpack(tar(tmp_path / "b.tar", {str(n): b"" for n in range(4)}, "w"), tmp_path / "c")


@pytest.mark.parametrize("name", ["a.tgz", "a.tar", "a.tar.xz", "a.zip"])
def test_damaged_archives(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    whole = {"x": bytes(range(256)) * 4000}
    if name == "a.zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x", whole["x"])
    else:
        tar(path, dict(whole), {"a.tgz": "w:gz", "a.tar": "w", "a.tar.xz": "w:xz"}[name])
    data = path.read_bytes()
    for damaged in (data[: len(data) // 2], b"<html>Not here any more</html>", b""):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=name.replace(".", r"\.")):
            unpack(path, tmp_path / "out")
