"""`clipfg doctor`: what this machine offers, what is missing, and what mends it."""

from __future__ import annotations

from clipfg.cli import options


def doctor(cache_dir: options.CacheDir = None, format: options.Format = None) -> int:
    """Check the machine: precision, GPU, FAISS, cache, disk, network rules, encoders on disk.

    Exits with 4 when something that clipfg needs is missing.
    """
    from clipfg.cli.output import print_rows
    from clipfg.workflows.doctor import examine

    settings = options.resolve("doctor", {"cache_dir": cache_dir})
    findings = examine(settings)
    print_rows([vars(finding) for finding in findings], format)
    return 4 if any(finding.state == "missing" for finding in findings) else 0
