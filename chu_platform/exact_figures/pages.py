"""The pages of exact figures: what each address answers to an account."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property, partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from chu_platform.access.gate import Denied, Gate, Request, establishment_key, own_professional, own_sites
from chu_platform.exact_figures.activity import GRAINS, TABLE, Activity, activity_chart, activity_of
from chu_platform.exact_figures.explorer import OwnExplorer
from chu_platform.exact_figures.own_addresses import SITE, Elsewhere, OwnAddresses, has_sites, own_page, x_of
from chu_platform.exact_figures.own_snapshot import OwnSnapshot
from chu_platform.identity.principal import Principal
from chu_platform.indicators.indicator import Indicator, indicators
from chu_platform.indicators.small_cells import mask_small_cells
from chu_platform.kpis.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.portal import downloads
from chu_platform.portal.addresses import OWN_ACTIVITY, QUESTIONS, question_address
from chu_platform.portal.choices import Refused, choose, with_added
from chu_platform.portal.downloads import File
from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Reader, Snapshot
from chu_platform.portal.rendering import OwnSite, Renderer
from chu_platform.portal.views import View, view_of
from chu_platform.tables.access_policy import Purpose
from chu_platform.tables.duckdb_sql import sql_text

NO_PROFESSIONAL: Final = "Votre compte n’est rattaché à aucun professionnel."
NO_CONSULTATION: Final = "Il n’y a aucune de vos consultations dans les données."
NO_EVENT: Final = "Il n’y a aucun événement de cet établissement dans les données."
Given = Sequence[tuple[str, str]]


class OwnPages:
    """The pages over the published tables of a reader and the exact tables behind a gate."""

    def __init__(self, reader: Reader, gate: Gate) -> None:
        self._reader = reader
        self._gate = gate
        self._explorer = OwnExplorer(gate, reader.lake)

    def error(self, status: HTTPStatus, message: str) -> str:
        """A page that says what is wrong."""
        return self._renderer(self._reader.snapshot, ()).error(status.value, message)

    def sites(self, principal: Principal, given: Given) -> str | Elsewhere:
        """The own sites of an account, each with its pages; the page itself if there is one site and one question.

        With the FINESS number of another site, its page: the gate decides whether it opens.
        """
        snapshot = self._current()
        questions = self._questions(snapshot)
        asked = "".join(value.strip() for name, value in given if name == "finess")
        keys = _own_keys(principal)
        if asked:
            return Elsewhere(own_page(_address(questions[0], establishment_key(asked))))
        activity = OWN_ACTIVITY if own_professional(principal, date.today()) else None
        if activity and not keys:
            return Elsewhere(activity)
        if len(keys) == 1 and len(questions) == 1 and not activity:
            return Elsewhere(own_page(_address(questions[0], keys[0])))
        names = _names(snapshot, keys)
        found = [
            OwnSite(names.get(key, key), [(own_page(_address(q, key)), q.short) for q in questions]) for key in keys
        ]
        may_ask = any(self._gate.holds(principal, self._indicators[q.table.name].exact) for q in questions)
        return self._renderer(snapshot, keys).own_sites(snapshot, found, may_ask, activity)

    def activity(self, principal: Principal, given: Given) -> str:
        """The own consultations of a practitioner. Raises Refused and JournalError."""
        snapshot = self._current()
        question, activity = self._activity(principal, snapshot, given)
        return self._renderer(snapshot, ()).own_activity(
            snapshot, activity.group, activity_chart(activity), TABLE, activity.table, question
        )

    def activity_file(self, principal: Principal, file: str, given: Given) -> File:
        """The same as a file. Raises Refused and JournalError."""
        if file not in ("consultations.csv", "consultations.parquet"):
            raise Refused("Ce fichier n’existe pas.", HTTPStatus.NOT_FOUND)
        _, activity = self._activity(principal, self._current(), given)
        if file.endswith(".csv"):
            return File("mes-consultations.csv", downloads.CSV, activity.csv)
        return File("mes-consultations.parquet", downloads.PARQUET, downloads.as_parquet(activity.rows))

    def _activity(self, principal: Principal, snapshot: Snapshot, given: Given) -> tuple[Question, Activity]:
        """What the gate opens to a practitioner of their own counts; the address has nothing to choose."""
        if given:
            raise Refused("Cette page montre vos propres consultations : il n’y a rien à y choisir.")
        if own_professional(principal, date.today()) is None:
            raise Refused(NO_PROFESSIONAL, HTTPStatus.FORBIDDEN)
        indicator = kpi_consultation_rate_by_professional
        question = next((q for q in snapshot.questions if q.table.name == indicator.masked.name), None)
        if question is None:
            raise Refused(NO_CONSULTATION, HTTPStatus.NOT_FOUND)
        grains = ", ".join(map(sql_text, GRAINS))
        try:
            # For this purpose nobody has a grant that opens the rows of others.
            own = self._gate.open_table(
                principal, indicator.exact, Purpose.CARE_QUALITY, Request(f"period_grain IN ({grains})")
            )
        except Denied:
            raise Refused(NO_CONSULTATION, HTTPStatus.NOT_FOUND) from None
        return question, activity_of(snapshot, question.table.name, own)

    def question(self, principal: Principal, slug: str, given: Given) -> str | Elsewhere:
        """A page with the exact figures of a site. Raises Refused, Denied and JournalError."""
        snapshot = self._current()
        if added := with_added(snapshot, slug, given):
            question = self._question(snapshot, slug)
            return Elsewhere(self._addresses(snapshot, [_key(principal, question, given)]).of(added))
        found = self._opened(principal, snapshot, slug, given)
        if isinstance(found, Elsewhere):
            return found
        own, view = found
        try:
            return self._renderer(snapshot, [view.choice.x["code"]]).own_question(own, view)
        finally:
            own.close()

    def file(self, principal: Principal, slug: str, file: str, given: Given) -> File | Elsewhere:
        """A file of such a page. Raises Refused, Denied and JournalError."""
        found = self._opened(principal, self._current(), slug, given)
        if isinstance(found, Elsewhere):
            return Elsewhere(found.address.replace(f"{QUESTIONS}{slug}", f"{QUESTIONS}{slug}/{file}", 1))
        own, view = found
        try:
            return downloads.file_of(own, view, file)
        finally:
            own.close()

    def explorer(self, principal: Principal, given: Given) -> str:
        """A table of the exact explorer. Raises Refused, Denied and JournalError."""
        snapshot = self._current()
        return self._explorer.page(self._renderer(snapshot, _own_keys(principal)), snapshot, principal, given)

    def explored(self, principal: Principal, file: str, given: Given) -> File:
        """A file of such a table. Raises Refused, Denied and JournalError."""
        return self._explorer.file(self._current(), principal, file, given)

    def _opened(
        self, principal: Principal, snapshot: Snapshot, slug: str, given: Given
    ) -> tuple[OwnSnapshot, View] | Elsewhere:
        """The exact figures of the site that is asked for; the address in the portal for an X that is no site."""
        question = self._question(snapshot, slug)
        key = _key(principal, question, given)
        if key is None:
            return Elsewhere(f"{QUESTIONS}{slug}?{urlencode(list(given))}")
        indicator = self._indicators[question.table.name]
        request = Request("level = 'establishment' AND code = $code", {"code": key})
        mask_small = partial(mask_small_cells, indicator)
        try:
            rows = self._gate.open_table(principal, indicator.exact, request=request, mask_small=mask_small)
        except Denied:
            if key in _own_keys(principal):
                raise Refused(NO_EVENT, HTTPStatus.NOT_FOUND) from None
            raise
        if not rows.num_rows:
            raise Refused(NO_EVENT, HTTPStatus.NOT_FOUND)
        own = OwnSnapshot.of(snapshot, question, rows, indicator.exact)
        try:
            # What is given twice is refused.
            written = [(name, value) for name, value in given if value or name != x_of(question)]
            asked = written if x_of(question) in dict(written) else [*written, (x_of(question), f"{SITE}{key}")]
            return own, view_of(own, choose(own, slug, asked))
        except BaseException:
            own.close()
            raise

    def _current(self) -> Snapshot:
        self._reader.refresh()
        return self._reader.snapshot

    def _question(self, snapshot: Snapshot, slug: str) -> Question:
        question = next((q for q in self._questions(snapshot) if q.slug == slug), None)
        if question is None:
            raise Refused("Cette question n’a pas de chiffres par établissement.", HTTPStatus.NOT_FOUND)
        return question

    def _questions(self, snapshot: Snapshot) -> Sequence[Question]:
        return [q for q in snapshot.questions if has_sites(q)]

    def _renderer(self, snapshot: Snapshot, keys: Sequence[str]) -> Renderer:
        return Renderer(self._addresses(snapshot, keys))

    def _addresses(self, snapshot: Snapshot, keys: Sequence[str | None]) -> OwnAddresses:
        return OwnAddresses(self._questions(snapshot), [key for key in keys if key])

    @cached_property
    def _indicators(self) -> Mapping[str, Indicator]:
        return {indicator.masked.name: indicator for indicator in indicators()}


def _own_keys(principal: Principal) -> Sequence[str]:
    return [establishment_key(site) for site in own_sites(principal, date.today())]


def _key(principal: Principal, question: Question, given: Given) -> str | None:
    """The key of the establishment that is asked for; without an X the first own one. None for another level."""
    x = dict(given).get(x_of(question), "")
    if not x:
        keys = _own_keys(principal)
        if not keys:
            raise Refused("Choisissez d’abord un établissement.")
        return keys[0]
    return x.removeprefix(SITE) if x.startswith(SITE) else None


def _address(question: Question, key: str) -> str:
    return question_address(question, {x_of(question): f"{SITE}{key}"})


def _names(snapshot: Snapshot, keys: Sequence[str]) -> Mapping[str, str]:
    rows = snapshot.rows(
        "SELECT establishment_key, establishment_label FROM published_establishment "
        "WHERE list_contains($keys, establishment_key)",
        {"keys": list(keys)},
    )
    return {row["establishment_key"]: row["establishment_label"] for row in rows}
