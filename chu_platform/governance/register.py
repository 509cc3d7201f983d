"""The register of processing activities (RGPD, article 30): one entry for each purpose that a table declares."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from chu_platform import french
from chu_platform.committee.document import Block, Column, Document, Missing, Paragraph, Table
from chu_platform.description.described_tables import DescribedTable
from chu_platform.governance.inputs import COMMAND, Inputs
from chu_platform.governance.kept_records import Record, kept_records
from chu_platform.governance.words import PROFILES, PURPOSES, duration
from chu_platform.tables.access_policy import AccessPolicy, Profile, Purpose

NAME = "registre-des-traitements"
TITLE = "Registre des activités de traitement"
UNKNOWN = (
    "nom et coordonnées du responsable du traitement et du délégué à la protection des données (article 30(1)(a)) : "
    "aucune déclaration de la plateforme ne les contient, à compléter à la main"
)
SECURITY = (
    "zones à droits séparés, pseudonymes sous clé secrète, accès par profil et finalité, masquage des petits effectifs, "
    "traçabilité jusqu’à la ligne livrée ; le détail et les preuves sont dans la liste de contrôle"
)


def register(inputs: Inputs) -> Document:
    """The document."""
    records = kept_records(inputs.settings.run_retention_days)
    entries = {
        purpose: (tables_for(purpose, inputs.policies), [r for r in records if r.purpose is purpose])
        for purpose in Purpose
    }
    chapters: dict[str, Sequence[Block]] = {
        "Responsable du traitement": [
            Paragraph(
                "Une fiche par finalité déclarée. Chaque table de la plateforme déclare une finalité, une base légale, "
                "les personnes concernées, une durée et les profils qui la lisent ; les fiches rassemblent ces "
                "déclarations, et ce que la plateforme garde d’elle-même à côté des tables (journal des accès, comptes, "
                "demandes d’effacement, exécutions). Une finalité pour laquelle aucune table n’existe à elle seule, comme la "
                "recherche, a les tables dont la lecture est accordée pour elle."
            ),
            Missing(UNKNOWN),
        ]
    }
    for purpose, (tables, kept) in entries.items():
        if tables or kept:
            chapters[PURPOSES[purpose]] = list(_entry(purpose, tables, kept))
    return inputs.document(NAME, TITLE, "RGPD, article 30 ; une fiche par finalité", chapters)


def tables_for(
    purpose: Purpose, policies: Mapping[DescribedTable, AccessPolicy]
) -> Mapping[DescribedTable, AccessPolicy]:
    """The tables that exist for a purpose; if there is none, those that somebody may read for it."""
    own = {table: policy for table, policy in policies.items() if policy.purpose == purpose}
    return own or {
        table: policy for table, policy in policies.items() if any(grant.purpose == purpose for grant in policy.grants)
    }


def _entry(
    purpose: Purpose, tables: Mapping[DescribedTable, AccessPolicy], records: Sequence[Record]
) -> Iterator[Block]:
    policies = list(tables.values())
    rows = [
        ("Finalité", PURPOSES[purpose]),
        ("Bases légales", _lines([*(p.legal_basis for p in policies), *(r.legal_basis for r in records)])),
        (
            "Personnes concernées",
            _lines([*(p.persons or "non déclarées" for p in policies), *(r.persons for r in records)]),
        ),
        ("Données identifiantes", _columns(tables, "identifying")),
        ("Données sensibles (santé)", _columns(tables, "sensitive")),
        ("Données quasi identifiantes", _columns(tables, "quasi_identifying")),
        ("Destinataires", _recipients(purpose, policies, records)),
        ("Transferts hors de l’Union européenne", "aucun par la plateforme"),
        (
            "Durées de conservation",
            _lines(
                [
                    *(f"{duration(p)} : {french.small(p.retention_reason)}" for p in policies),
                    *(f"{french.small(r.name)} : {r.duration}" for r in records),
                ]
            ),
        ),
        ("Mesures de sécurité", SECURITY),
    ]
    yield Table("Fiche", [Column("Rubrique", 1), Column("Contenu", 4)], rows, COMMAND)
    if records:
        yield Table(
            "Ce que la plateforme garde à côté des tables",
            [Column("Objet", 2), Column("Contenu", 4), Column("Personnes concernées", 2), Column("Durée", 2)],
            [(r.name, r.contents, r.persons, r.duration) for r in records],
            COMMAND,
        )
    if not tables:
        return
    yield Table(
        f"Les {len(tables)} tables de cette finalité",
        [Column("Table", 2), Column("Contenu", 3), Column("Personnes concernées", 2), Column("Durée", 1)],
        [(f"`{t.identifier}`", t.label, p.persons or "non déclarées", duration(p)) for t, p in tables.items()],
        COMMAND,
    )


def _recipients(purpose: Purpose, policies: Iterable[AccessPolicy], records: Iterable[Record]) -> str:
    """The profiles that read a table or a record, in the order of the profiles."""
    granted = {
        grant.profile
        for policy in policies
        for grant in policy.grants
        # A table may be read for other purposes than its own: these have their own entries.
        if grant.purpose == purpose or policy.purpose == purpose
    } | {profile for record in records for profile in record.readers}
    return ", ".join(PROFILES[profile] for profile in Profile if profile in granted) or "aucun profil"


def _columns(tables: Iterable[DescribedTable], kind: str) -> str:
    """The labels of the columns of a kind, each once."""
    labels = dict.fromkeys(c.label for t in tables for c in t.columns if getattr(c, kind))
    return french.listed([french.small(label) for label in labels]) if labels else "aucune"


def _lines(texts: Iterable[str]) -> str:
    """Different texts, each once."""
    return " · ".join(dict.fromkeys(texts))
