"""Model repositories of the hub: read from its cache (`HF_HOME`), or downloaded into it."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clipfg.encoders.model_files import ModelFolder, ModelSource
from clipfg.errors import MissingError, UsageError
from clipfg.paths import expanded

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class HubRepository(ModelSource):
    """A repository of the hub, OWNER/NAME.

    Messages call the model that needs it `model`, and end with `remedy`: what to do about a missing
    file when there is a network. `offline`, as `HF_HUB_OFFLINE`, uses what the cache has only.
    """

    repo: str
    model: str
    offline: bool = False
    remedy: str = ""

    def __str__(self) -> str:
        return f"the hub repository {self.repo}"

    @property
    def name(self) -> str:
        """NAME of OWNER/NAME."""
        return self.repo.partition("/")[2]

    def first(self, *names: str) -> Path | None:
        """The first of `names` in the cache, else the first that can be downloaded.

        None when the repository has none of them. Raises `MissingError` when they are not in the
        cache and cannot be downloaded, `UsageError` when the hub knows no such repository.
        """
        cached = self._cached(names)
        return cached[0] if cached else self._download(names)

    def every(self, names: Sequence[str], markers: Sequence[str]) -> tuple[Path, ...]:
        """All of `names`: from the cache alone once it has one of the `markers`.

        Raises what `first` raises.
        """
        cached = self._cached(names)
        if any(path.name in markers for path in cached):
            return cached
        if self._is_offline():
            raise self._not_on_disk(markers, "this run is offline")
        # Markers come last, so that an interrupted download does not pass for a complete one.
        ordered = sorted(names, key=lambda name: name in markers)
        return tuple(path for name in ordered if (path := self.first(name)))

    def _cached(self, names: Sequence[str]) -> tuple[Path, ...]:
        from huggingface_hub import errors, try_to_load_from_cache

        try:
            found = [try_to_load_from_cache(self.repo, name) for name in names]
        except errors.HFValidationError:
            raise self._no_repository() from None
        return tuple(Path(path) for path in found if isinstance(path, str))

    def _is_offline(self) -> bool:
        from huggingface_hub import constants

        return self.offline or constants.HF_HUB_OFFLINE

    def _download(self, names: Sequence[str]) -> Path | None:
        from huggingface_hub import errors, hf_hub_download

        if self._is_offline():
            raise self._not_on_disk(names, "this run is offline")
        for name in names:
            logger.info(f"Fetching {name} of {self.repo}")
            try:
                with _retrying_silently():
                    return Path(hf_hub_download(self.repo, name))
            except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
                raise self._not_on_disk(names, "the hub could not be reached") from None
            except errors.GatedRepoError:
                raise MissingError(
                    f"{self.model} cannot be fetched before its licence is accepted on the hub page"
                    f" of {self.repo}; accept it there, then log in with `hf auth login`."
                ) from None
            except errors.EntryNotFoundError:
                continue
            except (errors.RepositoryNotFoundError, errors.HFValidationError):
                raise self._no_repository() from None
            except Exception as error:  # a full disk, or whatever the client's transport raises
                reason = f"the download failed ({type(error).__name__}: {str(error)[:120]})"
                raise self._not_on_disk(names, reason) from None
        return None

    def _no_repository(self) -> UsageError:
        return UsageError(
            f"Expected a model repository of the hub or the path of a folder, got {self.repo!r}."
        )

    def _not_on_disk(self, names: Sequence[str], why: str) -> MissingError:
        home = os.environ.get("HF_HOME", "~/.cache/huggingface")
        remedy = self.remedy or f"run `clipfg models pull {self.model}`, or choose another --model"
        return MissingError(
            f"{self.model} is not on disk and {why}: looked for {' or '.join(names)} of {self.repo}"
            f" under {home}. With a network connection, {remedy}."
        )


@contextmanager
def _retrying_silently() -> Iterator[None]:
    """Without the client's two lines for each of its retries; what they come to is raised."""
    client = logging.getLogger("huggingface_hub")
    level = client.level
    client.setLevel(logging.ERROR)
    try:
        yield
    finally:
        client.setLevel(level)


def locate(
    name: str, *, model: str, offline: bool = False, remedy: str = ""
) -> ModelFolder | HubRepository | None:
    """The folder or the repository that `name` stands for; None where it can be neither."""
    if (folder := expanded(name)).is_dir():
        return ModelFolder(folder)
    if name.count("/") != 1 or name.startswith(("/", ".", "~")):
        return None
    return HubRepository(name, model, offline, remedy)
