"""`clipfg doctor`: what this machine offers, what is missing, and how to fix it."""

from clipfg.cli.command import command
from clipfg.options import DoctorOptions


@command(DoctorOptions)
def doctor(options: DoctorOptions) -> int:
    """Check the machine: precision, GPU, FAISS, cache, disk, network settings, encoders on disk.

    Exits with 4 when something that clipfg needs is missing.
    """
    from clipfg.cli.output import print_rows
    from clipfg.workflows.doctor import examine

    findings = examine(options)
    print_rows([vars(finding) for finding in findings], options.format)
    return 4 if any(finding.state == "missing" for finding in findings) else 0
