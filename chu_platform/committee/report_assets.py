"""The reports as Dagster assets, so that the UI shows their age. `chu report` is a run of the step that makes them.

The main job leaves them out: reports are made when somebody asks for them.
"""

import datetime
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import dagster as dg

from chu_platform.committee.all_reports import REPORTS
from chu_platform.committee.check_list import NAME as CHECK_LIST
from chu_platform.committee.inputs import Inputs
from chu_platform.graph.dagster_instance import open_instance
from chu_platform.settings import Settings, load_settings

GROUP: Final = "committee"
# The tables beside the declarations whose changes make the reports old.
READS: Final = (
    ["references", "need"],
    ["reports", "source_quality"],
    ["reports", "check_result"],
    ["reports", "layout_benchmark"],
    ["reports", "scaling_benchmark"],
    ["references", "recommendation"],
)
TITLES: Final = {**{report.name: report.title for report in REPORTS}, CHECK_LIST: "Check-list of the committee"}


def committee_definitions() -> dg.Definitions:
    """The step that makes the reports in the folder of CHU_HOME, and its job."""
    job = dg.define_asset_job(
        "committee_reports",
        selection=dg.AssetSelection.groups(GROUP),
        description="The reports of the committee, in CHU_HOME/reports.",
    )
    return dg.Definitions(assets=[_step(None, None)], jobs=[job])


def make_reports(settings: Settings, folder: Path, log_progress: Callable[[str], None]) -> Sequence[Path]:
    """Make the reports in a folder, as a Dagster run; the PDF of the check-list and of each report.

    Raises ChuError if the folder holds anything else than reports, or if there is no lake.
    """
    # Typst, which writes the PDF, is only loaded by those who make reports.
    from chu_platform.committee.write_reports import of_reports

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with open_instance(settings) as instance:
        # Before the run: a mistake in the command is no failure of a run.
        of_reports(folder).recorded()
        Inputs(settings, instance, datetime.date.today())
        dg.materialize(
            [_step(folder, log_progress)],
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    return [folder / f"{name}.pdf" for name in (CHECK_LIST, *(report.name for report in REPORTS))]


def _step(folder: Path | None, log_progress: Callable[[str], None] | None) -> dg.AssetsDefinition:
    """The step that writes all reports into a folder; without one, into that of CHU_HOME."""

    @dg.multi_asset(
        name="write_committee_reports",
        specs=[
            dg.AssetSpec(
                [GROUP, name],
                deps=[dg.AssetKey(key) for key in READS],
                group_name=GROUP,
                description=f"{title}: HTML, PDF and Markdown. `chu report` writes it too.",
                kinds={"python"},
                owners=["team:platform"],
            )
            for name, title in TITLES.items()
        ],
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        from chu_platform.committee.write_reports import write_reports  # see `make_reports`

        settings = load_settings()
        target = folder or settings.reports_folder
        inputs = Inputs(settings, context.instance, datetime.date.today())
        write_reports(target, REPORTS, inputs, log_progress or context.log.info)
        for name in TITLES:
            pdf = target / f"{name}.pdf"
            yield dg.MaterializeResult(
                asset_key=[GROUP, name],
                metadata={"location": dg.MetadataValue.path(str(pdf)), "bytes": pdf.stat().st_size},
            )

    return step
