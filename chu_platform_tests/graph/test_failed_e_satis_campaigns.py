"""An e-Satis file that cannot be read concerns its own campaign only: the others are read, its last rows stay."""

from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.graph.step_result import StepResult
from chu_platform.ingest.pack_contents import COPY, REFUSED, TAKEN, file_statuses
from chu_platform.settings import Settings
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

OLDER = "resultats-esatis48h-mco-open-data-2019.csv"
NEWER = "resultats-esatis48h-mco-open-data-2020.csv"
FIRST = "ESATIS48H_MCO_recueil2017_donnees.csv"
LATER = "resultats-iqss-esatis48h-mco-open-data-2022.csv"
LAST = "resultats-iqss-esatis48h-mco-open-data-2023.csv"
HEADER = "finess_geo;nb_rep_score_all_rea_ajust;score_all_rea_ajust;classement\n"
OTHER_COLUMNS = "Question;Réponse\na;b\n"
# What no reader can read, or must not: other columns, no text, scores as fractions of 1, one site with two scores.
UNREADABLE = {
    OLDER: OTHER_COLUMNS,
    NEWER: "<html><body>404</body></html>",
    LATER: HEADER + "".join(f"01000000{n};40;0.7{n};B\n" for n in range(8)),
    LAST: HEADER + "".join(f"010000001;40;7{n};B\n" for n in range(9)),
}


def file_of(*scores: float) -> str:
    return HEADER + "".join(f"01000000{n};40;{score};B\n" for n, score in enumerate(scores))


class Survey:
    """A pack of e-Satis files, and the step of their table. `failures` and `warnings` are those of the last step."""

    def __init__(self, folder: Path) -> None:
        self.pack = folder / "pack"
        self.pack.mkdir()
        self.settings = Settings(_env_file=None, home=folder, sources=self.pack)
        self.lake = RunResources(self.settings, print).lake
        self.lake.prepare()
        self.failures: list[str] = []
        for name, score in ((FIRST, 71.5), (OLDER, 72.5), (NEWER, 73.5)):
            self.deliver(name, file_of(score))

    def deliver(self, name: str, text: str) -> None:
        (self.pack / name).write_text(text, encoding="utf-8")

    def read(self) -> StepResult:
        with RunResources(self.settings, lambda _: None) as resources:
            try:
                result = run_step(resources, esatis48h_mco, esatis48h_mco.partition_scheme.every(), "run")  # type: ignore[union-attr]
            finally:
                self.failures = [cause for _, cause in resources.failures]
        return result

    def scores(self) -> set[tuple[str, float]]:
        found = rows(self.lake, esatis48h_mco).to_pylist()
        return {(r["campaign_year"], r["score_all_rea_ajust"]) for r in found}


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    return Survey(tmp_path)


def test_a_campaign_has_no_rows_before_it_was_read(survey: Survey) -> None:
    for name, text in UNREADABLE.items():
        survey.deliver(name, text)
    result = survey.read()
    assert survey.scores() == {("2017", 71.5)}
    assert result.delivery
    assert {f["name"] for f in result.delivery.left_out} == UNREADABLE.keys()
    for name in UNREADABLE:
        (cause,) = (c for c in survey.failures if name in c)
        assert cause.endswith("it is left out, the other files are read, and its last rows stay")


def test_the_campaign_keeps_its_last_rows(survey: Survey) -> None:
    survey.read()
    assert survey.failures == []
    survey.deliver(OLDER, OTHER_COLUMNS)
    survey.deliver(NEWER, file_of(63.5))
    survey.deliver(LATER, file_of(74.5))
    survey.read()
    last = {("2017", 71.5), ("2019", 72.5), ("2020", 63.5), ("2022", 74.5)}
    assert survey.scores() == last
    assert len(survey.failures) == 1
    survey.read()
    assert len(survey.failures) == 1, "each run says it until the file is replaced"
    survey.deliver(OLDER, file_of(62.5))
    assert survey.read().up_to_date is False
    assert survey.failures == []
    assert survey.scores() == last - {("2019", 72.5)} | {("2019", 62.5)}
    assert survey.read().up_to_date


def test_a_file_that_is_gone_keeps_its_rows(survey: Survey) -> None:
    survey.read()
    (survey.pack / OLDER).unlink()
    survey.deliver(NEWER, file_of(63.5))
    survey.read()
    assert survey.scores() == {("2017", 71.5), ("2019", 72.5), ("2020", 63.5)}
    (cause,) = survey.failures
    assert cause.startswith("no file named like") and "of 2019 in the pack" in cause


def test_files_of_one_campaign_that_contradict_each_other(survey: Survey) -> None:
    (survey.pack / OLDER).rename(survey.pack / OLDER.replace(".csv", " (1).csv"))
    survey.deliver(OLDER.replace(".csv", "-copie.csv"), file_of(72.5))
    survey.read()
    assert (len(survey.scores()), survey.failures) == (3, [])
    survey.deliver(OLDER.replace(".csv", "-copie.csv"), file_of(12.5))
    survey.deliver(NEWER, file_of(63.5))
    survey.read()
    assert survey.scores() == {("2017", 71.5), ("2019", 72.5), ("2020", 63.5)}
    (cause,) = survey.failures
    assert "have different content" in cause
    states = file_statuses(survey.pack, [esatis48h_mco], False).values()
    assert sorted(s.state for s in states) == [REFUSED, REFUSED, TAKEN, TAKEN]
    survey.deliver(OLDER, file_of(12.5))
    assert COPY in {s.state for s in file_statuses(survey.pack, [esatis48h_mco], False).values()}


def test_no_file_can_be_read(survey: Survey) -> None:
    """The table gets a version without rows, so that facts of other surveys are made; the step fails."""
    for name in (FIRST, OLDER, NEWER):
        survey.deliver(name, OTHER_COLUMNS)
    with pytest.raises(ChuError, match=f"{FIRST}.*{OLDER}.*{NEWER}"):
        survey.read()
    assert survey.scores() == set()
