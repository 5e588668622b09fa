"""Fixtures: the program run in this process, and chunks of several sizes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from actcli.cli.app import main
from actcli.streaming import batch
from program import Actcli, Result

# Machines differ in speed: no test is late, and fixtures that do not change may be used by every example.
settings.register_profile(
    "actcli", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.load_profile("actcli")


@pytest.fixture
def actcli(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Actcli:
    """Run the program in this process, with real file descriptors."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
        source = tmp_path / ".stdin"
        source.write_bytes(stdin)
        kept = os.dup(0)
        descriptor = os.open(source, os.O_RDONLY)
        os.dup2(descriptor, 0)
        capfdbinary.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        finally:
            os.dup2(kept, 0)
            os.close(kept)
            os.close(descriptor)
        captured = capfdbinary.readouterr()
        return Result(code, captured.out, captured.err.decode())

    return run


@pytest.fixture(params=[1, 64, batch.CHUNK_BYTES], ids=["a row", "a few rows", "all rows"])
def chunk_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the test with chunks of one row, of a few rows, and of the real size."""
    monkeypatch.setattr(batch, "CHUNK_BYTES", request.param)
    return int(request.param)
