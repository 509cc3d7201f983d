"""Commands of tests are ended when they stall, not when a machine is slow; failed fixtures can be tried again."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chu_platform_tests.conftest import once
from chu_platform_tests.pipeline import forked

BUSY = "import time; end = time.process_time() + 2\nwhile time.process_time() < end: pass"
PRINTS = "import time\nfor _ in range(20): print('here', flush=True); time.sleep(0.2)"
STALLS = "import time; time.sleep(600)"


@pytest.mark.integration
@pytest.mark.parametrize(("code", "status"), [(BUSY, 0), (PRINTS, 0), (STALLS, -signal.SIGALRM)])
def test_a_command_is_ended_when_it_stalls(
    code: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forked, "STALL_CPU_SECONDS", 0.02)
    output, ended = tmp_path / "output", threading.Event()
    with output.open("w") as stream:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=stream)
    request = {"environment": {"CHU_HOME": str(tmp_path)}, "outputs": [str(output)], "stall": 3}
    watch = threading.Thread(target=forked._end_if_stalled, args=(process.pid, request, ended))
    watch.start()
    assert process.wait() == status
    ended.set()
    watch.join()


@pytest.mark.unit
def test_a_shared_folder_is_made_anew_after_a_failure(tmp_path_factory: pytest.TempPathFactory) -> None:
    tries = []

    def make(folder: Path) -> None:
        tries.append(folder)
        (folder / "file").touch(exist_ok=False)
        if len(tries) == 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        once(tmp_path_factory, "test-of-once", make)
    made = once(tmp_path_factory, "test-of-once", make)
    assert once(tmp_path_factory, "test-of-once", make) == made
    assert (len(tries), (made / "file").exists()) == (2, True)
