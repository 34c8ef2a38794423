"""List files of data sets, and files that are not what they seem."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from clipfg.data.readers.list_files import (
    in_order,
    read_fields,
    read_json,
    read_lines,
    read_mat,
    read_pairs,
)
from clipfg.errors import DataError


def test_list_files(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffone 1\r\n\r\n  two  2 and more \r\n".encode())
    assert read_lines(path) == ["one 1", "two  2 and more"]
    assert read_pairs(path) == [("one", "1"), ("two", "2 and more")]
    path.write_text("alone\n")
    with pytest.raises(DataError, match="a key and a value, got 'alone'"):
        read_pairs(path)
    path.write_bytes(b"\xff\xfe\xff")
    for reader in (read_lines, read_json):
        with pytest.raises(DataError, match=re.escape(str(path))):
            reader(path)
        with pytest.raises(DataError, match="No such file"):
            reader(tmp_path / "none")


def test_matlab_files(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    savemat(path, {"numbers": np.array([[3], [1]]), "one": 7})
    assert read_mat(path, "numbers").tolist() == [3, 1]
    assert read_mat(path, "one").tolist() == [7]
    with pytest.raises(DataError, match="'names'"):
        read_mat(path, "names")
    path.write_bytes(b"no")
    with pytest.raises(DataError, match=r"MATLAB file with 'one' in .*x\.mat"):
        read_mat(path, "one")
    with pytest.raises(DataError, match="a readable file"):
        read_mat(tmp_path / "none.mat", "one")


def test_labels_without_gaps() -> None:
    assert in_order({1: "b", 0: "a"}, Path("list")) == ["a", "b"]
    for names in ({}, {0: "a", 2: "c"}, {-1: "x"}):
        with pytest.raises(DataError, match="without gaps in list"):
            in_order(names, Path("list"))


def test_fields(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,number\nowl,3\n jay , 4\n")
    fields = r"(\w+)\s*,\s*(\d+)"
    assert read_fields(path, fields, "a name and a number", skip=1) == [("owl", "3"), ("jay", "4")]
    with pytest.raises(DataError, match="a name and a number, got 'name,number' in"):
        read_fields(path, fields, "a name and a number")
