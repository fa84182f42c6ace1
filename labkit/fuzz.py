"""The fuzz: schemathesis, in a process of its own, against a running service."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labkit import guard
from labkit.errors import LabError
from labkit.fuzz_report import Finding, Report, read
from labkit.postgres.state import make_folder, state_folder

Phase = Literal["coverage", "fuzzing", "stateful"]

PASTE_URL = "http://127.0.0.1:8080"
"""Where `lab up` serves; curl lines point there, since the port of a check is gone with it."""

_RERUN = "Run it again; if it stays so, report it with the output of `lab check 1 -k fuzz`."


@dataclass(frozen=True)
class FuzzResult:
    """How many requests were sent, and what was wrong with the answers: each kind once for each operation."""

    cases: int
    findings: tuple[Finding, ...]


def run_fuzz(
    base_url: str,
    *,
    phase: Phase,
    seed: int,
    config: Path,
    contract: Path,
    timeout: float,
    shown_url: str = PASTE_URL,
) -> FuzzResult:
    """Fuzz the service at `base_url` with one phase of schemathesis, as `config` and `contract` say.

    The same seed against the same service on a fresh database gives the same findings. A service that stops
    answering is a finding; a fuzzer that does not run, or is not done after `timeout` seconds although the
    service answers, is a LabError. The findings' curl lines go to `shown_url`.
    """
    with tempfile.TemporaryDirectory(prefix="labkit-fuzz-") as folder:
        report = Path(folder) / "report.ndjson"
        command = [sys.executable, "-m", "schemathesis.cli"]
        command += ["--config-file", str(config.resolve()), "run", str(contract.resolve())]
        command += ["--url", base_url, "--phases", phase, "--seed", str(seed), "--no-color"]
        command += ["--report", "ndjson", "--report-ndjson-path", str(report)]
        process = subprocess.Popen(
            command,
            cwd=folder,  # it writes into its working directory, and imports hooks from there
            env=_environment(Path(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        guard.watch(process.pid)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            found = read(report, shown_url)
            if not found.findings:
                what = f"The fuzz ({phase}) was not done after {timeout:.0f} s and had found nothing."
                raise LabError(what, "Run it again on a machine that is less busy.") from None
            return FuzzResult(found.cases, found.findings)
        finally:
            process.kill()
            process.wait()
            guard.forget(process.pid)
        return _judge(read(report, shown_url), phase, process.returncode, output)


def _judge(found: Report, phase: Phase, status: int, output: str) -> FuzzResult:
    """The result of a run that ended by itself; LabError unless it did what it was asked to do."""
    if not found.complete or status not in (0, 1):
        tail = "\n".join(f"  {line}" for line in output.strip().splitlines()[-12:])
        raise LabError(
            f"The fuzzer (schemathesis, {phase}) broke off with exit status {status}:\n{tail}", _RERUN
        )
    if status == 1 and not found.findings:
        reason = "; ".join(found.problems) or "it reports failures and does not say which"
        raise LabError(f"The fuzzer (schemathesis, {phase}) failed: {reason}", _RERUN)
    if not found.cases:
        raise LabError(f"The fuzzer (schemathesis, {phase}) sent no requests.", _RERUN)
    return FuzzResult(found.cases, found.findings)


def _environment(folder: Path) -> dict[str, str]:
    """Ours, without what could change the verdict; Hypothesis' tables of Unicode are kept between runs."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("SCHEMATHESIS_", "HYPOTHESIS_"))}
    storage = folder
    with suppress(LabError, OSError):  # without it every run takes a second longer
        storage = make_folder(state_folder() / "hypothesis")
    return {
        **ours,
        "HYPOTHESIS_STORAGE_DIRECTORY": str(storage),
        "NO_PROXY": "*",
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",
    }
