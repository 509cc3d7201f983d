"""What the chapters say of the declarations: nothing is left out, and pictures fit their pages."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chu_platform.automation.build_definitions import ASSET_JOBS, OTHER_JOBS, SCHEDULES, SENSORS
from chu_platform.catalogue import catalogue
from chu_platform.committee.all_reports import REPORTS
from chu_platform.committee.brief import brief
from chu_platform.committee.chapters.conceptual_model import APART, models, quality_sources
from chu_platform.committee.chapters.dimensional_model import STARS
from chu_platform.committee.chapters.jobs import JOBS, STARTERS
from chu_platform.committee.check_list import UNANSWERED, check_list
from chu_platform.committee.document import Chapter, Link, Paragraph, Picture, Report, Table
from chu_platform.committee.inputs import Inputs
from chu_platform.committee.last_run import MainJob, Step, needed_steps
from chu_platform.committee.merise import cardinality, drawn
from chu_platform.committee.sql import command_of
from chu_platform.committee.write_reports import document_of
from chu_platform.describe_catalogue import described_catalogue
from chu_platform.tables.table import Layer

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    """Inputs of chapters that read nothing but the declarations."""
    return cast("Inputs", SimpleNamespace(catalogue=described_catalogue(), stated="Établi le 30 novembre 2026."))


def test_every_sentence_is_answered_by_known_chapters() -> None:
    known = {sentence.identifier for sentence in brief()}
    assert len(known) == len(brief()) > 30
    for report in REPORTS:
        slugs = [chapter.slug for chapter in report.chapters]
        assert len(set(slugs)) == len(slugs)
        assert {answer for chapter in report.chapters for answer in chapter.answers} <= known


def test_a_sentence_without_answer_is_shown_as_such(inputs: Inputs) -> None:
    report = Report("essai", "Essai", "Un essai", "", [Chapter("un", "Le modèle", ["L1.1"], lambda _: [])])
    rows = [
        row
        for chapter in check_list([report], {"essai": {"un": 7}}, "").chapters
        for block in chapter.blocks
        if isinstance(block, Table)
        for row in block.rows
    ]
    assert len(rows) == len(brief())
    answers = {str(row[0]): row[2] for row in rows}
    assert answers.pop("L1.1") == Link("Essai, « Le modèle », page 7", "essai", "un")
    of_portal = {sentence.identifier for sentence in brief() if sentence.portal}
    assert of_portal == {f"L3.{n}" for n in range(1, 9)}
    assert all(str(answers.pop(identifier)).startswith("Portail, ") for identifier in of_portal)
    assert set(answers.values()) == {UNANSWERED}


def test_an_answer_to_no_sentence_is_refused(inputs: Inputs) -> None:
    report = Report("essai", "Essai", "Un essai", "", [Chapter("un", "Un", ["L9.9"], lambda _: [Paragraph("x")])])
    with pytest.raises(ValueError, match=r"L9\.9"):
        document_of(report, inputs)


def test_every_source_is_in_the_model_or_apart(inputs: Inputs) -> None:
    parts = models(inputs.catalogue)
    tables = [entity.table for model in parts for entity in model.entities]
    tables += [association.table[0] for model in parts for association in model.associations if association.table]
    places = " ".join(tables)
    sources = {t.name for t in catalogue() if t.layer is Layer.SOURCES}
    modelled = {name for name in sources if f"sources.{name}" in places.replace(")", " ").split()}
    assert sources == modelled | set(APART)
    assert set(quality_sources(inputs.catalogue)) <= modelled


def test_conceptual_models_fit_a_page(inputs: Inputs) -> None:
    for model in models(inputs.catalogue):
        svg = drawn(model, ["0,n"] * len(model.legs))
        Picture(svg, model.title, "chu dictionary DOSSIER", wide=True)
        assert "…" not in svg, "a name is cut"
        assert svg.count("0,n<") == len(model.legs)


def test_cardinalities() -> None:
    assert [cardinality(a, s) for a in (True, False) for s in (True, False)] == ["0,n", "0,1", "1,n", "1,1"]


def test_every_fact_is_in_a_star() -> None:
    named = [name for _, names in STARS for name in names]
    assert sorted(named) == sorted(t.name for t in catalogue() if t.layer is Layer.FACTS)


def test_every_job_schedule_and_sensor_is_explained() -> None:
    assert {job.name for job in ASSET_JOBS} | {job.name for job in OTHER_JOBS} == set(JOBS)
    assert {schedule.name for schedule in SCHEDULES} | {sensor.name for sensor in SENSORS} == set(STARTERS)


def test_critical_path_and_ranks() -> None:
    """a takes 1 s, b and c need a, d needs both: a, c, d is the longest chain."""
    steps = [Step("a", 0, 1), Step("b", 1, 3), Step("c", 3, 8), Step("d", 8, 9), Step("e", 9, 12)]
    needs = {"b": frozenset("a"), "c": frozenset("a"), "d": frozenset("bc"), "e": frozenset("z")}
    job = MainJob(steps, needs)
    assert [step.name for step in job.critical_path] == ["a", "c", "d"]
    assert job.work == job.length == 12
    assert job.ranks == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 1}


def test_needed_steps_are_acyclic_and_complete(inputs: Inputs) -> None:
    needs = needed_steps(inputs.catalogue.tables)
    assert "facts__fact_death" in needs
    assert "sources__deces" in needs["facts__fact_death"]
    assert not any(name.startswith("rejects__") for name in needs)
    assert {n for found in needs.values() for n in found} <= set(needs)
    assert len(MainJob([Step(n, i, i + 1) for i, n in enumerate(needs)], needs).ranks) == len(needs)


def test_commands_survive_a_shell(tmp_path: Path) -> None:
    assert command_of('SELECT "a"\n  FROM x') == 'python -m chu_platform.committee.sql "SELECT \\"a\\" FROM x"'
