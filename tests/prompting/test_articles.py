import pytest

from clipfg.prompting.articles import with_article

SPOKEN = """
an albatross; a blackbird; an American Goldfinch; a European robin; a ewe; an emu; an owl;
a one-eyed cat; an orchid; a unicorn; an uninhabited hut; an umbrella; an ugly duckling;
a Ural owl; a useful plant; an hour; an honest man; a herb; a heron; an F-16; an MD-80; a DC-9;
a 737; an 80s car; an 18-wheeler; a 180; an 11; a 118; an A300B4; a Boeing 717; an SUV; a Saab 2000;
a UFO; an X-ray fish; an "iris"; an étoile; a yellow warbler; a wren
"""


@pytest.mark.parametrize("phrase", [p.strip() for p in SPOKEN.split(";")])
def test_the_article_follows_the_sound(phrase) -> None:
    assert with_article(phrase.split(" ", 1)[1]) == phrase
