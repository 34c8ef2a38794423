from clipfg.embedding.text_paths import SPECIAL
from clipfg.encoders import load_encoder


def test_the_bound_holds_for_every_tokenizer(folders) -> None:
    """No text has more tokens than bytes and the few that `SPECIAL` allows."""
    texts = ["", "a", "red bird", "ÄÖÜ ß ", "紅い鳥", "!?...", " a  b ", "🐦🐦", "&amp; &lt;"]
    for folder in folders.values():
        encoder = load_encoder(str(folder), precision="fp32", device="cpu")
        for text, count in zip(texts, encoder.count_tokens(texts), strict=True):
            assert count <= len(text.encode()) + SPECIAL
