"""A model whose every probability is known: what normalisation by length changes."""

import math
from types import SimpleNamespace

import torch

from clipfg.icl.answer_scores import plain_scores, with_end, without_end
from clipfg.icl.boundary import AnswerTokens
from clipfg.icl.lvlm import AnswerScores

NEXT = torch.tensor(
    [  # p(column | row)
        [0.0, 0.6, 0.1, 0.3],
        [0.0, 0.0, 0.9, 0.1],
        [0.2, 0.1, 0.2, 0.5],
        [0.2, 0.2, 0.2, 0.4],
    ]
)
SHORT, LONG = [3], [1, 2, 3]


class Bigram(torch.nn.Module):
    """The next token depends on the last one alone."""

    def forward(self, input_ids, attention_mask, use_cache, logits_to_keep):
        return SimpleNamespace(logits=NEXT.clamp_min(1e-9).log()[input_ids[:, -logits_to_keep:]])


def test_without_normalisation_the_short_name_would_win() -> None:
    inputs = {"input_ids": torch.tensor([[2, 0]]), "attention_mask": torch.ones(1, 2).long()}
    totals = plain_scores(Bigram(), inputs, AnswerTokens(0, [SHORT, LONG], [0, 0]))
    long = 0.6 * 0.9 * 0.5  # less likely as a whole, though each token is likelier than 0.3
    torch.testing.assert_close(totals, torch.tensor([math.log(0.3), math.log(long)]))
    assert totals.argmax() == 0
    scores = AnswerScores(totals, torch.tensor([1, 3]))
    torch.testing.assert_close(scores.normalised, torch.tensor([math.log(0.3), math.log(long) / 3]))
    assert scores.normalised.argmax() == 1


def test_tokens_of_the_prompt_are_not_scored() -> None:
    inputs = {"input_ids": torch.tensor([[2]]), "attention_mask": torch.ones(1, 1).long()}
    tails = [[0, *LONG]]  # the prompt's last token was taken back
    total = plain_scores(Bigram(), inputs, AnswerTokens(1, tails, [1]))
    torch.testing.assert_close(total, torch.tensor([math.log(0.6 * 0.9 * 0.5)]))


def test_inputs_are_trimmed_and_extended_where_they_have_a_value_per_token() -> None:
    pixels = torch.rand(1, 3, 3, 2)
    inputs = {
        "input_ids": torch.tensor([[5, 6, 7]]),
        "attention_mask": torch.tensor([[1, 1, 1]]),
        "mm_token_type_ids": torch.tensor([[0, 1, 0]]),
        "pixel_values": pixels,
    }
    longer = with_end(without_end(inputs, 1), [8, 9])
    assert longer["input_ids"].tolist() == [[5, 6, 8, 9]]
    assert longer["attention_mask"].tolist() == [[1, 1, 1, 1]]
    assert longer["mm_token_type_ids"].tolist() == [[0, 1, 0, 0]]
    assert longer["pixel_values"] is pixels
