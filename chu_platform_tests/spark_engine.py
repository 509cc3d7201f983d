"""An engine on a Spark server, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chu_platform.engine.engine import Engine
from chu_platform.settings import Settings
from chu_platform_tests.java import JAVA_OPTIONS, require_java


@contextmanager
def spark_engine(home: Path) -> Iterator[Engine]:
    """An engine whose Spark server keeps its files in `home`."""
    require_java()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", JAVA_OPTIONS)
        engine = Engine(Settings(_env_file=None, home=home, engine="spark"))
        yield engine
        engine.close()
