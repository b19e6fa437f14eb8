import os
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from zeke_jobs.supervise import reload
from zeke_jobs.supervise.reload import Reloader, Watch


def test_it_restarts_once_when_asked_without_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "program", lambda name: [name])
    running = Mock()
    watching = Reloader(running, Mock(), os.environ, Watch([tmp_path]), ((sys.executable, "-c", "pass"),))
    watching.ask()
    watching.step()
    watching.step()
    running.reload.assert_called_once_with()
