"""Java for the tests on Spark: they are skipped where it is missing, and fail where CI=true."""

import os
import shutil
from typing import Final

import pytest

# So little data is not worth compiling for, neither by Java nor by Spark, which generates code for each query.
# With larger areas from the start, the collector has less to do.
JAVA_OPTIONS: Final = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:InitialRAMPercentage=5 -XX:MetaspaceSize=256m"
    " -Dspark.sql.codegen.wholeStage=false -Dspark.sql.codegen.factoryMode=NO_CODEGEN"
)


def require_java() -> None:
    """Skip a test on Spark where there is no Java; in CI that is a failure."""
    if os.environ.get("JAVA_HOME") or shutil.which("java"):
        return
    reason = "Java 17 or 21 is needed for the tests on Spark"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
