"""The job that computes the fingerprints of files that are too large for the time of a sensor."""

from typing import Final

import dagster as dg

from chu_platform.errors import ChuError
from chu_platform.ingest.fingerprints import checksum
from chu_platform.ingest.markers import needed_algorithms
from chu_platform.settings import load_settings

NAME: Final = "fingerprints"
_OP: Final = "compute_fingerprints"


class FilesToHash(dg.Config):
    """Paths of files in the delivered folder."""

    files: list[str]


# The pool has one slot: a run that asks for a file of a run in progress waits for it, and then finds the fingerprint.
@dg.op(name=_OP, pool=NAME, description="Computes the fingerprints of delivered files, and their listed checksums.")
def _compute(context: dg.OpExecutionContext, config: FilesToHash) -> None:
    pack = load_settings().sources_folder
    for path in config.files:
        try:
            for algorithm in needed_algorithms(pack / path):
                checksum(pack / path, algorithm)
            context.log.info(f"fingerprint of {path} computed")
        except ChuError as error:
            context.log.warning(str(error))


FINGERPRINTS: Final = dg.GraphDefinition(
    NAME, node_defs=[_compute], description="Fingerprints of large files that arrived, for the sensor arriving_files."
).to_job()


def config_for(files: list[str]) -> dg.RunConfig:
    """The configuration of a run for these files."""
    return dg.RunConfig({_OP: FilesToHash(files=files)})
