"""Large vision-language models (LVLMs) of transformers, queried by scoring candidate answers."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float, Int
from PIL.Image import Image
from torch import Tensor, nn

from clipfg.errors import DataError, MissingError
from clipfg.icl.answer_scores import cached_scores, plain_scores, without_end
from clipfg.icl.boundary import AnswerTokens, split_answers
from clipfg.icl.chats import transformers
from clipfg.icl.prompts import Turn

AGREEMENT: Mapping[torch.dtype, float] = {torch.float32: 1e-3}
ROUGH = 0.1
"""Nats per token by which cached scores may differ from plain ones, by number format."""

PROBE = "clipfgprobe"
"""A stand-in for an answer where only the template around it matters."""

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
SETTINGS_FILES = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
)
"""Files of a checkpoint beside `config.json` and the tokenizer; no model has all of them."""

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class AnswerScores:
    """Log-probabilities of whole answers after a prompt, in nats, and their numbers of tokens."""

    totals: Float[Tensor, " c"]
    tokens: Int[Tensor, " c"]

    @property
    def normalised(self) -> Float[Tensor, " c"]:
        """`log p(answer) / tokens`: the mean over its tokens, which favours no length."""
        return self.totals / self.tokens


@final
class LVLM:
    """An image-text-to-text model and its processor, loaded from a folder when first used.

    Remote code is never executed, and weights are read from safetensors only. `folder` has
    configuration, weights, tokenizer, processor and chat template, as published.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.name = name
        self.folder = folder
        self.device = device or torch.device("cpu")
        self.dtype = dtype
        self._agrees: bool | None = None

    @cached_property
    def processor(self) -> Any:
        """The model's own processor.

        Raises `DataError` if it cannot be read or has no chat template, `MissingError` if it needs
        a package that is not installed.
        """
        from transformers import AutoProcessor

        with self._within(f"Reading the processor of {self.name}"):
            processor = AutoProcessor.from_pretrained(
                self.folder, local_files_only=True, trust_remote_code=False
            )
        if getattr(processor, "image_processor", None) is None:
            raise DataError(
                f"Expected a vision-language model, got {self.name}, which takes no images."
            )
        if not (processor.chat_template or processor.tokenizer.chat_template):
            raise DataError(
                f"Expected a model with a chat template, got {self.name}, which has none; use the"
                " version tuned for chat (its name often ends in -Instruct)."
            )
        return processor

    @cached_property
    def model(self) -> nn.Module:
        """The model, in evaluation mode, without gradients. Raises what `processor` raises."""
        from transformers import AutoModelForImageTextToText

        with self._within(f"Reading {self.name} as a vision-language model"):
            model, report = AutoModelForImageTextToText.from_pretrained(
                self.folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=self.dtype,
                output_loading_info=True,
            )
        if missing := sorted(report["missing_keys"]):
            raise DataError(
                f"{self.name} lacks {len(missing)} of its weights (first: {missing[0]}); fetch it"
                " again."
            )
        return model.to(self.device).eval().requires_grad_(False)

    @contextmanager
    def _within(self, doing: str) -> Iterator[None]:
        """Silences transformers' messages, and turns its errors into one that says `doing`."""
        from transformers.utils import logging as remarks

        verbosity, bar = remarks.get_verbosity(), remarks.is_progress_bar_enabled()
        remarks.set_verbosity_error()
        remarks.disable_progress_bar()
        try:
            yield
        except ImportError as error:
            reason = " ".join(str(error).split())[:200]
            raise MissingError(f"{self.name} needs a missing package: {reason}") from None
        except Exception as error:  # parsers of files may raise anything
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError(f"{doing} failed: {reason}.") from None
        finally:
            remarks.set_verbosity(verbosity)
            if bar:
                remarks.enable_progress_bar()

    def text_of(self, turns: Sequence[Turn]) -> tuple[str, str]:
        """The prompt as the chat template renders it, and what it puts before an answer.

        The latter comes between "Assistant:" and the answer in a conversation that has one: a space
        in some templates, nothing in others.
        """
        with self._within(f"The chat template of {self.name}"):
            prompt = self._render(turns, open_end=True)
            whole = self._render([*turns, Turn("assistant", (PROBE,))], open_end=False)
        rest = whole.removeprefix(prompt)
        lead = rest[: rest.find(PROBE)] if rest != whole and PROBE in rest else ""
        return prompt, lead

    def _render(self, turns: Sequence[Turn], *, open_end: bool) -> str:
        messages = transformers(turns)
        for message in messages:  # templates only mark the place of an image
            message["content"] = [
                {"type": "image"} if part["type"] == "image" else part
                for part in message["content"]
            ]
        return str(
            self.processor.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=open_end
            )
        )

    def score(
        self, turns: Sequence[Turn], images: Sequence[Image], answers: Sequence[str]
    ) -> AnswerScores:
        """How likely each answer is after the turns.

        The prompt passes through the model once. For the first prompt, one answer is also scored by
        a plain pass. If the two differ, as they may for models whose layers cache something other
        than keys and values, plain passes are used for everything.

        The turns end with a question; `images` are RGB, one for each in the turns, in order. Raises
        `DataError` for a prompt that the model cannot process, such as one that is too long.
        """
        inputs, split = self._encode(turns, images, answers)
        try:
            longer = [row for row, tail in enumerate(split.tails) if len(tail) > 1]
            if self._agrees is None and longer:  # one token does not use the cache
                self._agrees = self._check(inputs, split, longer[0])
            compute = plain_scores if self._agrees is False else cached_scores
            totals = compute(self.model, inputs, split)
        except torch.OutOfMemoryError:
            tokens = inputs["input_ids"].shape[1]
            raise DataError(
                f"Out of memory on {self.device} for {self.name} with a prompt of {tokens:,}"
                " tokens; try fewer --shots, or --precision bf16."
            ) from None
        if not torch.isfinite(totals).all():
            raise DataError(
                f"Expected finite log-probabilities from {self.name} in {self.dtype}, got others;"
                " try --precision fp32."
            )
        return AnswerScores(totals, torch.tensor(split.lengths))

    def _encode(
        self, turns: Sequence[Turn], images: Sequence[Image], answers: Sequence[str]
    ) -> tuple[dict[str, Tensor], AnswerTokens]:
        prompt, lead = self.text_of(turns)
        tokenizer = self.processor.tokenizer
        # Some templates write the first special token themselves; it must not be added again.
        special = not (tokenizer.bos_token and prompt.startswith(tokenizer.bos_token))
        with self._within(f"Building a prompt for {self.name}"):
            batch = self.processor(
                text=[prompt],
                images=[list(images)],
                return_tensors="pt",
                add_special_tokens=special,
            )
            texts = [prompt, *(prompt + lead + answer for answer in answers)]
            ids = tokenizer(texts, add_special_tokens=special, verbose=False)["input_ids"]
        split = split_answers(ids[0], ids[1:])
        # The processor expands each image to many tokens; the text after the last one is the same.
        end = split.dropped + 1
        if batch["input_ids"][0, -end:].tolist() != ids[0][-end:]:
            raise DataError(f"The processor of {self.name} changes the end of prompts.")
        self._check_length(batch["input_ids"].shape[1] + max(map(len, split.tails)))
        inputs = {
            name: value.to(self.device, self.dtype if value.is_floating_point() else None)
            for name, value in batch.items()
            if isinstance(value, Tensor)
        }
        return without_end(inputs, split.dropped), split

    def _check_length(self, tokens: int) -> None:
        config: Any = self.model.config
        most = getattr(config.get_text_config(), "max_position_embeddings", None)
        if most is not None and tokens > most:
            raise DataError(
                f"Expected a prompt of at most {most:,} tokens, the limit of {self.name}, got"
                f" {tokens:,}; use fewer --shots or smaller images."
            )

    def _check(self, inputs: dict[str, Tensor], answers: AnswerTokens, row: int) -> bool:
        """Whether cached and plain scores of one answer to this prompt agree."""
        one = AnswerTokens(answers.dropped, [answers.tails[row]], [answers.starts[row]])
        twice = AnswerTokens(answers.dropped, one.tails * 2, one.starts * 2)
        try:
            cached = cached_scores(self.model, inputs, twice)
        except torch.OutOfMemoryError:
            raise
        except (TypeError, AttributeError, KeyError, IndexError, RuntimeError):
            cached = torch.tensor([torch.nan])
        plain = plain_scores(self.model, inputs, one)
        allowed = AGREEMENT.get(self.dtype, ROUGH) * one.lengths[0]
        agrees = bool((cached - plain).abs().max() <= allowed)
        if not agrees:
            logger.warning(
                f"{self.name} cannot continue from a cached prompt, so each answer is scored by a"
                " full pass: correct, but slow."
            )
        return agrees
