"""Several processes that train together: the one that a person started, and others that follow it.

They are told of each other by the environment, as `accelerate launch` and torchrun do it: with
these, every process is started from outside.
"""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from accelerate import PartialState

from clipfg.errors import ClipfgError, UsageError
from clipfg.options import FinetuneOptions, resolve, to_json

_FOLLOWER = "from clipfg.workflows.finetune.processes import follow; follow()"
PATIENCE = 10
"""Seconds that a process is given to end by itself."""


@contextmanager
def together(options: FinetuneOptions) -> Iterator[bool]:
    """Have the processes of a run; whether this is the first, which alone prints and writes.

    Others are started and ended with the block where `--processes` asks for them. Raises
    `UsageError` for more processes than GPUs, `ClipfgError` where one of them fails.
    """
    cpu = options.device == "cpu" or not torch.cuda.is_available()
    if "WORLD_SIZE" in os.environ or options.processes == 1:
        leads = PartialState(cpu=cpu).is_main_process
        if not leads:
            logging.getLogger("clipfg").setLevel(logging.CRITICAL)
        yield leads
        return
    if not cpu and options.processes > torch.cuda.device_count():
        raise UsageError(
            f"Expected a GPU for each of {options.processes} processes, got"
            f" {torch.cuda.device_count()}; lower --processes, or use --device cpu."
        )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        shared = _shared(options.processes)
        followers = [
            stack.enter_context(_started(options, shared, rank, folder / str(rank)))
            for rank in range(1, options.processes)
        ]
        stack.enter_context(_member(shared))
        PartialState(cpu=cpu)
        try:
            yield True
        except RuntimeError as error:  # of an exchange whose other side has gone
            for rank, one in enumerate(followers, 1):
                if (code := _ended(one)) is not None:
                    last = (folder / str(rank)).read_text(errors="replace").strip().splitlines()
                    raise ClipfgError(
                        f"Process {rank + 1} of {options.processes} ended early, with code {code}"
                        f"{f': {last[-1]}' if last else ''}. What is done is kept: run the same"
                        " command again to go on."
                    ) from error
            raise


def follow() -> None:
    """Take part in the run of the process that started this one, and end when it ends."""
    from clipfg.workflows.finetune.run import run_finetune
    from clipfg.workflows.session import Session

    options = resolve(FinetuneOptions, json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    with Session(options) as session:
        run_finetune(session)


def _end_with_the_first() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass  # it ends when the first process closes it, or is killed
    os._exit(1)


def _shared(count: int) -> dict[str, str]:
    """What all processes are told; the cores are divided among them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threads = max(1, torch.get_num_threads() // count)
    return {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(threads),
    }


@contextmanager
def _started(
    options: FinetuneOptions, shared: dict[str, str], rank: int, errors: Path
) -> Iterator[subprocess.Popen[bytes]]:
    own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", _FOLLOWER],
            env=os.environ | shared | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,  # Ctrl-C is for the first process, which ends the others
        )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(to_json(options)).encode() + b"\n")
        process.stdin.flush()
        yield process
    finally:
        process.stdin.close()
        if _ended(process) is None:
            process.kill()
            process.wait()


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code of a process that is about to end."""
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def _member(shared: dict[str, str]) -> Iterator[None]:
    """Be the first of the processes within the block, and alone again after it."""
    before, threads = dict(os.environ), torch.get_num_threads()
    os.environ.update(shared | {"RANK": "0", "LOCAL_RANK": "0"})
    torch.set_num_threads(int(shared["OMP_NUM_THREADS"]))
    PartialState._reset_state()
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        PartialState._reset_state()
        torch.set_num_threads(threads)
        os.environ.clear()
        os.environ.update(before)
