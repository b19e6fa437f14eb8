import pytest

from zeke_jobs.metrics import exposition
from zeke_jobs.worker.metrics import WorkerMetrics


def test_a_folder_that_cannot_be_had_ends_the_process_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare() -> None:
        raise PermissionError("expected /tmp/x to be ours, got one of another user; remove it")

    monkeypatch.setattr(exposition, "prepare", prepare)
    with pytest.raises(SystemExit, match="2"):
        WorkerMetrics().after_process_boot(None)
    assert "expected a folder for metrics, got: expected /tmp/x to be ours" in capsys.readouterr().err
