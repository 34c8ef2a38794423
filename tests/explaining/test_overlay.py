"""Pictures under maps."""

import io

import numpy as np
import torch
from PIL import Image

from clipfg.explaining.overlay import AGAINST, FOR, overlay, png

GREY = Image.new("RGB", (8, 8), (128, 128, 128))
ALL = torch.ones(8, 8, dtype=torch.bool)


def towards(picture, colour):
    """Whether each pixel is nearer to a colour than plain grey is."""
    pixels = np.asarray(picture).astype(float)
    apart = np.abs(pixels - np.array(colour)).sum(axis=2)
    return apart < np.abs(128 - np.array(colour)).sum()


def test_the_highest_place_is_coloured_and_the_lowest_clear() -> None:
    values = torch.arange(64.0).view(8, 8)
    marked = towards(overlay(GREY, values, ALL), FOR)
    assert marked[7, 7]
    assert not marked[0, 0]


def test_both_signs_have_a_colour_and_nothing_has_none() -> None:
    values = torch.zeros(8, 8)
    values[0, 0], values[7, 7] = 2.0, -2.0
    picture = overlay(GREY, values, ALL, colour="both")
    assert towards(picture, FOR)[0, 0]
    assert towards(picture, AGAINST)[7, 7]
    assert picture.getpixel((4, 4)) == (128, 128, 128)


def test_a_map_of_one_value_marks_nothing() -> None:
    same = overlay(GREY, torch.full((8, 8), 3.0), ALL)
    assert same.getpixel((2, 2)) == (128, 128, 128)
    unseen = overlay(GREY, torch.full((8, 8), 3.0), ~ALL)
    assert unseen.getpixel((2, 2)) != (128, 128, 128)


def test_what_was_not_seen_does_not_set_the_scale() -> None:
    values, seen = torch.zeros(8, 8), ALL.clone()
    values[0, 0], values[4, 4], seen[0, 0] = 100.0, 1.0, False
    assert towards(overlay(GREY, values, seen), FOR)[4, 4]


def test_png() -> None:
    assert Image.open(io.BytesIO(png(GREY))).size == (8, 8)
