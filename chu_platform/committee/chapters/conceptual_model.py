"""Livrable 1: the conceptual model of the sources in Merise notation (MCD), with the logical one beside it (MLD)."""

from collections.abc import Iterator, Sequence
from typing import Final

from chu_platform.committee.document import Block, Cell, Chapter, Code, Column, Heading, Paragraph, Picture, Table
from chu_platform.committee.inputs import Inputs
from chu_platform.committee.merise import Entity, Model, by_key, by_table, cardinality, drawn
from chu_platform.description.described_tables import DescribedCatalogue
from chu_platform.tables.table import Layer

DICTIONARY: Final = "chu dictionary DOSSIER"
# It prints each association with its cardinalities, and the SQL that measures them.
COMMAND: Final = "python -m chu_platform.committee.cardinalities"
QUALITY_FACT: Final = "facts/fact_quality_indicator"

PATIENT: Final = Entity(
    "Patient", "sources.Patient", "Id_patient", ["Id_patient", "Sexe", "Date (naissance)", "Code_postal", "Ville"], 0, 0
)
MUTUELLE: Final = Entity("Mutuelle", "sources.Mutuelle", "Id_Mut", ["Id_Mut", "Nom", "Adresse"], 0, 1)
CONSULTATION: Final = Entity(
    "Consultation",
    "sources.Consultation",
    "Num_consultation",
    ["Num_consultation", "Date", "Heure_debut", "Heure_fin", "Motif"],
    0.5,
    0.5,
)
DIAGNOSTIC: Final = Entity("Diagnostic", "sources.Diagnostic", "Code_diag", ["Code_diag", "Diagnostic"], 0.5, 0)
MEDICAMENT: Final = Entity(
    "Médicament",
    "sources.Medicaments",
    "Code_CIS",
    ["Code_CIS", "Denomination", "Forme_pharmaceutique", "Titulaire"],
    0.5,
    1,
)
PROFESSIONNEL: Final = Entity(
    "Professionnel (base de soins)",
    "sources.Professionnel_de_sante",
    "Identifiant",
    ["Identifiant", "Profession", "Categorie_professionnelle"],
    1,
    0,
)
SPECIALITE: Final = Entity(
    "Spécialité", "sources.Specialites", "Code_specialite", ["Code_specialite", "Fonction", "Specialite"], 1, 0.52
)
SALLE: Final = Entity("Salle", "sources.Salle", "Id_salle", ["Id_salle", "Code_bloc", "Num_etage", "Num_salle"], 1, 1)

CARE: Final = Model(
    "Les soins : base PostgreSQL",
    [PATIENT, MUTUELLE, CONSULTATION, DIAGNOSTIC, MEDICAMENT, PROFESSIONNEL, SPECIALITE, SALLE],
    [
        by_key("passe", CONSULTATION, "Id_patient", PATIENT, (0.3, 0.28)),
        by_key("est couverte par", CONSULTATION, "Id_mut", MUTUELLE, (0.3, 0.74)),
        by_table("adhère", "sources.Adher", [(PATIENT, "Id_patient"), (MUTUELLE, "Id_mut")], (0.104, 0.55)),
        by_key("a pour diagnostic", CONSULTATION, "Code_diag", DIAGNOSTIC, (0.5, 0.26)),
        by_table(
            "prescrit",
            "sources.Prescription",
            [(CONSULTATION, "Num_consultation"), (MEDICAMENT, "Code_CIS")],
            (0.5, 0.73),
        ),
        by_key("mène", CONSULTATION, "Id_prof_sante", PROFESSIONNEL, (0.7, 0.28)),
        by_key("a pour spécialité", PROFESSIONNEL, "Code_specialite", SPECIALITE, (0.896, 0.32)),
        by_key("accueille", SALLE, "Num_consultation", CONSULTATION, (0.7, 0.76)),
    ],
)

SEJOUR: Final = Entity(
    "Séjour",
    "sources.Hospitalisations",
    "Num_Hospitalisation",
    ["Num_Hospitalisation", "Date_Entree", "Jour_Hospitalisation"],
    0.5,
    0.42,
)
ETABLISSEMENT: Final = Entity(
    "Établissement",
    "sources.etablissement_sante",
    "identifiant_organisation",
    ["identifiant_organisation", "raison_sociale_site", "commune", "code_postal"],
    1,
    0.42,
)
INSCRIT: Final = Entity(
    "Professionnel (registre)",
    "sources.professionnel_sante",
    "identifiant",
    ["identifiant", "profession", "specialite", "commune"],
    1,
    1,
)
PATIENT_2: Final = Entity("Patient", "sources.Patient", "Id_patient", PATIENT.columns, 0, 0.42)
PROFESSIONNEL_2: Final = Entity(
    "Professionnel (base de soins)", "sources.Professionnel_de_sante", "Identifiant", PROFESSIONNEL.columns, 0.5, 1
)

STAYS: Final = Model(
    "Les séjours, les établissements et les lieux d’exercice : fichiers CSV",
    [PATIENT_2, SEJOUR, DIAGNOSTIC, ETABLISSEMENT, INSCRIT, PROFESSIONNEL_2],
    [
        by_key("fait", SEJOUR, "Id_patient", PATIENT_2, (0.295, 0.43)),
        by_key("a pour diagnostic", SEJOUR, "Code_diagnostic", DIAGNOSTIC, (0.5, 0.24)),
        by_key("a lieu dans", SEJOUR, "identifiant_organisation", ETABLISSEMENT, (0.705, 0.43)),
        by_table(
            "exerce dans",
            "sources.activite_professionnel_sante",
            [(INSCRIT, "identifiant"), (ETABLISSEMENT, "identifiant_organisation")],
            (0.896, 0.69),
            ["mode_exercice"],
        ),
        by_key("est inscrit comme", INSCRIT, "identifiant", PROFESSIONNEL_2, (0.705, 0.9)),
    ],
)

ETABLISSEMENT_3: Final = Entity(
    "Établissement", "sources.etablissement_sante", "identifiant_organisation", ETABLISSEMENT.columns, 0.5, 0.5
)
ESATIS_48H: Final = Entity(
    "Note e-Satis, plus de 48 h",
    "sources.esatis48h_mco",
    "finess_geo",
    ["finess_geo, campaign_year", "score_all_rea_ajust", "nb_rep_score_all_rea_ajust", "classement"],
    0,
    0,
)
ESATIS_CA: Final = Entity(
    "Note e-Satis, ambulatoire",
    "sources.esatisca_mco",
    "finess_geo",
    ["finess_geo, campaign_year", "score_all_ajust", "nb_rep_score_all_ajust", "classement"],
    0,
    1,
)
PARTICIPANT: Final = Entity(
    "Participation à une campagne",
    "sources.participants",
    "finess",
    ["enquete, recueil, finess", "repondant", "cat"],
    1,
    1,
)


def _measures(catalogue: DescribedCatalogue) -> Model:
    """The measures of sites: the care-quality files are one entity, because they have the same form."""
    result = Entity(
        "Résultat de qualité des soins",
        f"({_results(catalogue)})",
        "finess",
        ["fichier, finess", "valeur", "effectif", "bornes à 95 %", "classe ou motif"],
        1,
        0,
    )
    site = "'F' || {}"
    return Model(
        "Les mesures par site : fichiers de la HAS",
        [ETABLISSEMENT_3, ESATIS_48H, ESATIS_CA, result, PARTICIPANT],
        [
            by_key("note", ESATIS_48H, site.format("finess_geo"), ETABLISSEMENT_3, (0.3, 0.27)),
            by_key("note (ambulatoire)", ESATIS_CA, site.format("finess_geo"), ETABLISSEMENT_3, (0.3, 0.73)),
            by_key("évalue", result, site.format("finess"), ETABLISSEMENT_3, (0.7, 0.27)),
            by_key("engage", PARTICIPANT, site.format("finess"), ETABLISSEMENT_3, (0.7, 0.73)),
        ],
    )


def quality_sources(catalogue: DescribedCatalogue) -> Sequence[str]:
    """The sources of care-quality results, by name."""
    reads = catalogue.table(QUALITY_FACT).reads.values()
    found = [catalogue.table(i) for i in reads]
    return sorted(t.name for t in found if t.layer is Layer.SOURCES and any(c.name == "finess" for c in t.columns))


def _results(catalogue: DescribedCatalogue) -> str:
    return " UNION ALL ".join(f"SELECT finess FROM sources.{name}" for name in quality_sources(catalogue))


DECES: Final = Entity(
    "Décès",
    "sources.deces",
    "numero_acte_deces",
    ["date_deces", "sexe", "date_naissance", "code_lieu_deces", "numero_acte_deces"],
    0,
    0.2,
)
DEPARTEMENT: Final = Entity(
    "Département", "references.department", "department_code", ["department_code", "department_label"], 0.5, 0.2
)
REGION: Final = Entity("Région", "references.region", "region_code", ["region_code", "region_label"], 1, 0.2)
POPULATION: Final = Entity(
    "Population", "references.population", "department_code", ["department_code, sex, age, year", "population"], 0.5, 1
)
# The first three characters of a place overseas, otherwise two.
DEPARTMENT_OF_DEATH: Final = (
    "left(code_lieu_deces, CASE WHEN left(code_lieu_deces, 2) IN ('97', '98') THEN 3 ELSE 2 END)"
)

DEATHS: Final = Model(
    "Les décès et la population : fichiers de l’Insee",
    [DECES, DEPARTEMENT, REGION, POPULATION],
    [
        by_key("survient dans", DECES, DEPARTMENT_OF_DEATH, DEPARTEMENT, (0.295, 0.25)),
        by_key("appartient à", DEPARTEMENT, "region_code", REGION, (0.705, 0.25)),
        by_key("compte", POPULATION, "department_code", DEPARTEMENT, (0.5, 0.65)),
    ],
)


def models(catalogue: DescribedCatalogue) -> Sequence[Model]:
    """The parts of the conceptual model."""
    return [CARE, STAYS, _measures(catalogue), DEATHS]


# The sources that are in no diagram, with the reason.
APART: Final = {
    "AAAA": "table de travail sans clé : gardée, n’alimente rien",
    "date": "table de travail sans clé : gardée, n’alimente rien",
    "Laboratoire": "aucune colonne d’une autre table ne la désigne",
    "lexiques": "dictionnaire des variables de la HAS : décrit les colonnes des résultats de qualité, pas des objets",
    "deces_insee_csv": "même entité Décès, dans la forme des fichiers CSV de l’Insee",
    "deces_insee_fixe": "même entité Décès, dans la forme des fichiers à colonnes fixes de l’Insee",
    "opposition_deces": "liste des décès que les familles ont fait retirer : elle retranche des lignes de l’entité Décès",
    "european_standard_population_2013": "pondération livrée pour les taux standardisés, sans lien avec un objet",
    "mortality_quotients_sex_age": "tables de mortalité livrées : référence de calcul, sans lien avec un objet",
    "population_department_sex_age": "même entité Population, telle que livrée : la référence la remplace par les données fournies quand elle manque",
}


def _blocks(inputs: Inputs) -> Iterator[Block]:
    yield Paragraph(
        "Ce modèle décrit ce que les sources contiennent, avant toute transformation. Les entités sont les tables et les fichiers livrés ; les associations sont les colonnes par lesquelles ils se désignent. Les cardinalités ne sont pas supposées : elles sont **mesurées** sur le lac, par des requêtes que la commande indiquée imprime avec leurs résultats. Une cardinalité minimale de 0 veut dire qu’au moins une occurrence ne participe pas à l’association ; une cardinalité maximale de n, qu’au moins une y participe plusieurs fois. Chaque cardinalité est écrite du côté de l’entité qu’elle concerne."
    )
    yield Heading("Ce qui n’est dans aucun diagramme")
    yield Table(
        "Sources hors du modèle conceptuel, et pourquoi",
        [Column("Source"), Column("Raison", 3)],
        [[Code(name), why] for name, why in APART.items()],
        DICTIONARY,
    )
    yield Paragraph(
        "Aucune table livrée ne relie une consultation à un établissement. Le seul chemin passe par les lieux d’exercice du professionnel : c’est pourquoi le modèle dimensionnel a une **table pont** pondérée (chapitre suivant)."
    )
    for model in models(inputs.catalogue):
        yield Heading(model.title)
        found = [cardinality(bool(alone), bool(several)) for _, alone, several in inputs.query(model.cardinalities_sql)]
        yield Picture(
            drawn(model, found), f"MCD : {model.title}.", COMMAND, wide=True, text=" ; ".join(in_words(model, found))
        )
        yield _logical(model)


def in_words(model: Model, cardinalities: Sequence[str]) -> Iterator[str]:
    """The associations as text: each verb, its entities and their cardinalities."""
    found = iter(cardinalities)
    for association in model.associations:
        legs = [f"{leg.entity} ({next(found)})" for leg in association.legs]
        yield f"{association.verb} : {', '.join(legs)}"


def _logical(model: Model) -> Table:
    """The MLD of a part: a relation for each entity, and for each association that needs one."""
    rows: list[list[Cell]] = []
    for entity in model.entities:
        foreign = [
            f"#{a.foreign_key[1]}" for a in model.associations if a.foreign_key and a.foreign_key[0] == entity.name
        ]
        first, *others = entity.columns
        rows.append([entity.name, f"**{first}**, {', '.join([*others, *foreign])}", Code(_source(entity.table))])
    for association in model.associations:
        if association.table:
            name, keys = association.table
            columns = ", ".join([*(f"#{key}" for key in keys), *association.properties])
            rows.append([f"association « {association.verb} »", columns, Code(_source(name))])
    return Table(
        f"MLD : {model.title} (clé en gras, # : clé étrangère, propriétés principales)",
        [Column("Entité ou association", 1.5), Column("Relation", 4), Column("Source", 2)],
        rows,
        DICTIONARY,
    )


def _source(table: str) -> str:
    return table if not table.startswith("(") else "fichiers de qualité"


conceptual_model: Final = Chapter("modele-conceptuel", "Modèle conceptuel et logique des sources", ("L1.1",), _blocks)
