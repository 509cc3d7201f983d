"""The explorer of exact figures: indicators with the rows that the gate opens, and counts between any two dates.

A head sees own sites, a practitioner own counts, an analyst the pseudonymised zone. A clinician has the stored periods
of their site alone, masked: two free ranges could be subtracted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import pyarrow as pa

from chu_platform import french
from chu_platform.access.gate import Denied, Gate, Request, establishment_key, own_sites
from chu_platform.exact_figures.cube_table import (
    FILTER,
    SITE,
    CubeCrossing,
    as_table,
    counted,
    cube_asked_for,
)
from chu_platform.exact_figures.cubes import CUBES, Cube, CubeQuery
from chu_platform.exact_figures.jobs import Jobs, Progress, Unfinished
from chu_platform.exact_figures.own_addresses import SITE as OF_SITE
from chu_platform.exact_figures.own_addresses import has_sites
from chu_platform.exact_figures.own_snapshot import OwnSnapshot
from chu_platform.identity.principal import Principal
from chu_platform.indicators.indicator import Indicator, indicators
from chu_platform.indicators.small_cells import mask_small_cells
from chu_platform.portal.addresses import OWN_EXPLORER
from chu_platform.portal.choices import Field, Refused
from chu_platform.portal.downloads import File
from chu_platform.portal.explorer.axes import TIME_AXES
from chu_platform.portal.explorer.cells import Crossed, crossed
from chu_platform.portal.explorer.crossing import (
    AXES,
    FIRST,
    LAST,
    SUBJECT,
    Crossing,
    crossing_asked_for,
    x_of_parameter,
)
from chu_platform.portal.explorer.files import file_of
from chu_platform.portal.explorer.page import axis_fields, page_of, shown_of
from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.rendering import Renderer
from chu_platform.storage.lake import Lake
from chu_platform.tables.duckdb_sql import sql_name

NO_EVENT: Final = "Il n’y a aucun événement entre ces dates dans les données."
NOTHING: Final = "Votre compte n’ouvre aucun chiffre exact à croiser."
STORED: Final = (
    "Vos établissements ont leurs chiffres exacts, ou masqués si votre compte le demande. "
    "Les autres lieux ont ceux de l’édition."
)
COUNTED: Final = "Ces chiffres sont comptés pour votre compte, entre les deux dates."
AS_STORED: Final = "Chaque cellule est celle de la table de l’indicateur : rien n’est additionné."
AS_COUNTED: Final = "Chaque ligne est comptée à part : ses patients ne s’additionnent pas avec ceux d’une autre."
Given = Sequence[tuple[str, str]]


class OwnExplorer:
    """The explorer over the published tables and the tables behind a gate."""

    def __init__(self, gate: Gate, lake: Lake) -> None:
        self._gate = gate
        self._lake = lake
        self._jobs = Jobs()
        self._indicators: Mapping[str, Indicator] = {i.masked.name: i for i in indicators()}

    def page(self, renderer: Renderer, snapshot: Snapshot, principal: Principal, given: Given) -> str:
        """A table, or that it is being counted. Raises Refused, Denied and JournalError."""
        subject = self._subject(snapshot, principal, given)
        subjects = self._subjects(snapshot, principal, subject)
        if isinstance(subject, Question):
            found, own = self._stored(snapshot, principal, subject, given)
            try:
                shown = page_of(own, found, subjects)
            finally:
                own.close()
            return renderer.own_explorer(snapshot, {**shown, "what": STORED, "arithmetic": AS_STORED})
        crossing = cube_asked_for(subject, given)
        answer = self._count(principal, crossing)
        if isinstance(answer, Unfinished):
            return renderer.counting(snapshot, crossing.address(), answer.percent, answer.seconds)
        table = as_table(snapshot.catalogue, crossing, *answer)
        shown = {**shown_of(table, crossing.address), **_form(crossing), "subjects": subjects}
        return renderer.own_explorer(snapshot, {**shown, "what": COUNTED, "arithmetic": AS_COUNTED})

    def file(self, snapshot: Snapshot, principal: Principal, file: str, given: Given) -> File:
        """A file of a table. Raises Refused, Denied and JournalError."""
        subject = self._subject(snapshot, principal, given)
        if isinstance(subject, Question):
            found, own = self._stored(snapshot, principal, subject, given)
            try:
                return file_of(own, found, file)
            finally:
                own.close()
        crossing = cube_asked_for(subject, given)
        return file_of(
            snapshot, as_table(snapshot.catalogue, crossing, *self._count(principal, crossing, wait=True)), file
        )

    def _subject(self, snapshot: Snapshot, principal: Principal, given: Given) -> Question | Cube:
        slug = next((value for name, value in given if name == SUBJECT and value), None)
        known = self._known(snapshot)
        if slug is None:
            slug = next((one for one, subject in known.items() if self._may_open(principal, subject)), None)
            if slug is None:
                raise Refused(NOTHING, HTTPStatus.FORBIDDEN)
        if slug not in known:
            raise Refused("Ce sujet n’existe pas.", HTTPStatus.NOT_FOUND)
        return known[slug]

    def _known(self, snapshot: Snapshot) -> Mapping[str, Question | Cube]:
        """What can be explored: counts, then the indicators whose exact rows have the columns of the released ones."""
        found: dict[str, Question | Cube] = {cube.slug: cube for cube in CUBES}
        for question in snapshot.questions:
            indicator = self._indicators[question.table.name]
            if indicator.in_editions and indicator.releasable is indicator.exact:
                found[question.slug] = question
        return found

    def _may_open(self, principal: Principal, subject: Question | Cube) -> bool:
        """Whether an account has a grant for a subject: what is offered to it. What it is given, the gate decides."""
        if isinstance(subject, Cube):
            return self._gate.has_grant(principal, subject.guard, subject.purpose, masked=False)
        exact = self._indicators[subject.table.name].exact
        return self._gate.has_grant(principal, exact, None, masked=has_sites(subject))

    def _subjects(self, snapshot: Snapshot, principal: Principal, chosen: Question | Cube) -> Field:
        offered = [(slug, s.short) for slug, s in self._known(snapshot).items() if self._may_open(principal, s)]
        return Field(SUBJECT, "Sujet", chosen.slug, [("", offered)])

    def _stored(
        self, snapshot: Snapshot, principal: Principal, question: Question, given: Given
    ) -> tuple[Crossed, OwnSnapshot]:
        """The table of an indicator in which the rows that the gate opens replace the released ones."""
        if has_sites(question):
            given = _of_own_site(principal, question, given)
        crossing = _named(snapshot, crossing_asked_for(snapshot, given, OWN_EXPLORER))
        indicator = self._indicators[question.table.name]
        mask_small = partial(mask_small_cells, indicator) if has_sites(question) else None
        request = self._request(snapshot, principal, indicator, crossing)
        rows = self._gate.open_table(principal, indicator.exact, request=request, mask_small=mask_small)
        own = OwnSnapshot.of(snapshot, question, rows, indicator.exact)
        try:
            return crossed(own, crossing), own
        except BaseException:
            own.close()
            raise

    def _request(self, snapshot: Snapshot, principal: Principal, indicator: Indicator, crossing: Crossing) -> Request:
        """The exact rows that a table may have: of own sites, or of its axes and filters for who reads all rows."""
        site = next((v for v in crossing.filters.values() if v.startswith(OF_SITE)), None)
        if site and has_sites(crossing.question):
            return Request("level = 'establishment' AND code = $code", {"code": site.removeprefix(OF_SITE)})
        if self._gate.holds(principal, indicator.exact) is None:
            return Request("level = 'establishment'")
        where, values = [], dict[str, object]()
        for parameter in crossing.question.parameters:
            if crossing.axis_of(parameter.name) is None:
                for column, value in x_of_parameter(snapshot, crossing, parameter).items():
                    where.append(f"{sql_name(column)} = ${column}")
                    values[column] = value
        where += [axis.where for axis in crossing.axes]
        return Request(" AND ".join(where) or "true", values)

    def _count(self, principal: Principal, crossing: CubeCrossing, wait: bool = False) -> Any:
        """What a cube counts for an account, with its query; Unfinished if that takes long and nobody waits for it."""
        sites = self._sites(principal, crossing)
        is_own = sites is None or set(sites) <= set(own_keys(principal))
        if not (
            self._may_open(principal, crossing.cube) and (is_own or self._gate.holds(principal, crossing.cube.guard))
        ):
            # Nothing is counted for who would not be given it.
            self._gate.refuse(principal, crossing.cube.guard, Request(about=crossing.address()))

        def make(progress: Progress) -> tuple[pa.Table, CubeQuery]:
            try:
                return counted(self._gate, self._lake, principal, crossing, sites, progress)
            except Denied:
                # Of own rows there are none.
                raise Refused(NO_EVENT, HTTPStatus.NOT_FOUND) from None

        return self._jobs.answer((principal.name, frozenset(principal.held), crossing.address()), make, wait)

    def _sites(self, principal: Principal, crossing: CubeCrossing) -> Sequence[str] | None:
        """The establishments that are counted: the one asked for, all for who reads all rows, else the own ones."""
        if not crossing.cube.site:
            return None
        if crossing.site:
            return [establishment_key(crossing.site)]
        if self._gate.holds(principal, crossing.cube.guard):
            return None
        return own_keys(principal)


def own_keys(principal: Principal) -> Sequence[str]:
    """The keys of the own establishments of an account."""
    return [establishment_key(site) for site in own_sites(principal, date.today())]


def _named(snapshot: Snapshot, crossing: Crossing) -> Crossing:
    """The table with what it opens with as filters: exact rows may open with others."""
    opened = {
        p.name: p.separator.join(x_of_parameter(snapshot, crossing, p).values())
        for p in crossing.question.parameters
        if crossing.axis_of(p.name) is None
    }
    return replace(crossing, filters={**crossing.filters, **opened})


def _of_own_site(principal: Principal, question: Question, given: Given) -> Given:
    """What an address asks for; of an own establishment, where it names no place and lists none."""
    (parameter,) = question.parameters
    asked = {value for name, value in given if value and (name == parameter.name or name in AXES)}
    keys = own_keys(principal)
    if not keys or asked - set(TIME_AXES):
        return given
    others = [(name, value) for name, value in given if name != parameter.name]
    return [*others, *([] if asked else [(AXES[0], "annee")]), (parameter.name, f"{OF_SITE}{keys[0]}")]


def _form(crossing: CubeCrossing) -> Mapping[str, Any]:
    """The form of a table of a cube."""
    cube = crossing.cube
    known = [("Temps" if axis.grain else axis.label, axis.name, axis.label) for axis in cube.axes]
    codes = [
        (f"{FILTER}{axis.name}", f"Filtre : code de {axis.label.lower()}", crossing.filters.get(axis.name, ""))
        for axis in cube.axes
        if axis.code
    ]
    site = [(SITE, "Numéro FINESS (sans F)", crossing.site)] if cube.site else []
    dates = " ".join(
        f"{word} {french.day(day)}" for word, day in (("du", crossing.first), ("au", crossing.last)) if day
    )
    return {
        "about": french.capital(dates) or "Toutes les dates",
        "axes": axis_fields(known, [axis.name for axis in crossing.axes]),
        "filters": [],
        "codes": [*site, *codes],
        "dates": [
            (name, label, day.isoformat() if day else "")
            for name, label, day in ((FIRST, "Du", crossing.first), (LAST, "au", crossing.last))
        ],
        "elsewhere": [],
        "version": None,
    }
