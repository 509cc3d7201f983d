"""The lexicons of the care-quality files, with the labels of the real ones (HAS, open data, Licence Ouverte 2.0).

A lexicon gives code and label of each column of a file. IDM 2015 has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chu_platform.demo.spreadsheet import Cell

DPA_SSR_2014 = {
    "tdp_c": "Tenue du dossier patient",
    "dec_c": "Délai d'envoi du courrier",
    "trd_c": "Evaluation de la douleur",
    "dtn1_c1": "Dépistage de troubles nutritionnels (2 niveaux)",
}
HPP_MCO_2015 = {
    "del1_c1": "Délivrance niveau 1",
    "peci_hppi_c": "Prise en charge initiale de l’ HPPI",
    "surmin_c": "Surveillance clinique minimale",
}
DAN_MCO_2016 = {
    "tda_c": "Tenue du dossier anesthésique",
    "trd_c": "Tracabilité de l évaluation de la douleur",
}
DPA_HAD_2016 = {
    "dec_c": "Délai d envoi du courrier de fin d hospitalisation",
    "dtn_c": "Dépistage des troubles nutritionnels (Suivi du poids en HAD - Pas de niveau)",
    "tdp_c": "Tenue du dossier patient",
    "trd_c": "Tracabilité de l évaluation de la douleur",
    "tre_c": "Tracabilité de l évaluation du risque d escarre",
}
IDENTITY_2014 = {"cat": "Catégorie", "finess": "Finess du TAS", "Sources": "Année des données"}
IDENTITY_RCP_2014 = {"Raison_sociale": "Raison sociale", "Libelle_region": "Nom de la région"}
IDENTITY_2015 = {
    "Sources": "Année des données",
    "cat": "Catégorie",
    "code_reg": "Code de la région",
    "finess": "Finess du TAS",
    "lib_reg": "Nom de la région",
    "raison_sociale": "Raison sociale",
}
IDENTITY_2016 = {
    "Sources": "année des données",
    "code_reg": "Code de la région",
    "finess": "finess de l'établissement",
    "lib_cat": "catégorie",
    "lib_reg": "libelle_region",
    "raison_sociale": "raison sociale",
    "repondant": "établissement répondant",
}


@dataclass(frozen=True)
class Evaluated:
    """An indicator of 2018: its label, the code of its control, and whether the lexicon describes its evolution."""

    label: str
    control: str
    evolution: bool = True


DPA_SSR_2018 = {
    "doc_c": Evaluated("Document de sortie de SSR", "doc", evolution=False),
    "dtn2_c2": Evaluated("Dépistage des troubles nutritionnels en SSR", "dtn"),
}
RCP_MCO_2018 = {"rcp2_c2": Evaluated("RCP niveau 2 : plurisdisciplinarité de la concertation", "rcp2")}
ETE_ORTHO_2018: Sequence[Sequence[Cell]] = (
    ("NAME", "LABEL"),
    ("finess", "finess juridique"),
    ("rs", "finess juridique - raison sociale"),
    ("region", "Région"),
    ("ete_ortho_cible_etbt", "Nombre de séjours concernés"),
    ("ete_ortho_obs_etbt", "Nombre d'ETE observé"),
    ("ete_ortho_att_etbt", "Nombre d'ETE attendu"),
    ("ete_ortho_etbt", "Ratio observé / attendu"),
    ("ete_ortho_pos_seuil_etbt", "Position dans le funel plot (3ds) <3ds --> A /  >3ds -> C / sinon B"),
)
ETE_ORTHO = "Evènement thrombo-embolique après prothèse de hanche/genou"
# Labels in brackets of the indicators of IQSS, by the end of the names of their columns, in lower case.
IQSS_2019 = {
    "ca_qls_v2_mco": "Qualité de la lettre de liaison à la sortie - CA MCO",
    "dpa_coord_had": "Coordination de la prise en charge - DPA HAD",
    "dpa_dtn_had": "Suivi du poids - DPA HAD",
    "dpa_pcd_mco": "Evaluation et prise en charge de la douleur - DPA MCO",
    "dpa_pcd_ssr": "Evaluation et prise en charge de la douleur - DPA SSR",
    "dpa_pspv_ssr": "Projets de soins, projet de vie - DPA SSR",
    "dpa_qls_ssr": "Qualité de  la lettre de liaison à la sortie - DPA SSR",
    "dpa_qls_v2_mco": "Qualité de la lettre de liaison à la sortie - DPA MCO",
    "dpa_tdp_v3_had": "Tenue du dossier patient - DPA HAD",
    "dpa_tre_had": "Traçabilité de l'évaluation du risque d'escarre - DPA HAD",
    "ias_icsha_v3_mhs": "Indicateur de consommation de solutions hydro-alcooliques : secteurs MCO/HAD/SSR - IAS",
    "ias_icsha_v3_psy": "Indicateur de consommation de solutions hydro-alcooliques : secteur PSY - IAS",
    "ete_ortho": ETE_ORTHO,
}
IQSS_2020 = {
    "ete_ortho": ETE_ORTHO,
    "iso_ortho": "Infections du site opératoire après prothèse de hanche/genou",
}
IDENTITY_IQSS = {
    "finess": "FINESS de l’établissement enquêté",
    "finess_pmsi": "FINESS PMSI de l’établissement",
    "nom_ES": "Nom de l’établissement",
    "obligatoire_ca_mco": "Recueil obligatoire en chirurgie-ambulatoire",
    "obligatoire_dpa_had": "Recueil obligatoire en HAD",
    "obligatoire_dpa_mco": "Recueil obligatoire en MCO",
    "obligatoire_dpa_ssr": "Recueil obligatoire en SSR",
    "obligatoire_icsha_v3_mhs": "Recueil obligatoire pour ICSHA (Secteur : MCO/HAD/SSR)",
    "obligatoire_icsha_v3_psy": "Recueil obligatoire pour ICSHA (Secteur : Psychiatrie)",
    "region": "Libellé de la région administrative de l’établissement enquêté",
    "type": "Libellé de la catégorie de l’établissement enquêté",
}
ALERT = "Position de l'établissement par rapport à la borne d'alerte  ({})"


def of_2014(header: Sequence[Cell], indicators: Mapping[str, str | None]) -> list[list[Cell]]:
    """Columns in the order of the file. The lexicon of RCP has no indicator."""
    labels = {**IDENTITY_2014, **(IDENTITY_RCP_2014 if "Raison_sociale" in header else {})}
    for code, label in indicators.items():
        if label:
            labels |= {
                f"{code}_den_etbt": f"Dénominateur {label}",
                f"{code}_etbt": f"Valeur {label}",
                f"{code}_icbas_etbt": f"Intervalle de confiance bas {label}",
                f"{code}_ichaut_etbt": f"Intervalle de confiance haut {label}",
            }
    described = [name for name in header if name in labels or name in ("raison_sociale", "libelle_region")]
    return _rows("label", described, labels)


def sorted_rows(header: Sequence[Cell], indicators: Mapping[str, str], identity: Mapping[str, str]) -> list[list[Cell]]:
    """The lexicons of 2015 and 2016: all columns, sorted; some have no label."""
    labels = {**identity, **_labels_by_code({code: (code, label) for code, label in indicators.items()})}
    return _rows("LABEL", sorted(map(str, header)), labels)


def of_2018(header: Sequence[Cell], indicators: Mapping[str, Evaluated]) -> list[list[Cell]]:
    """Columns in the order of the file; some have no label."""
    labels = {"finess": "Finess du TAS"}
    labels |= _labels_by_code({code: (code.upper(), indicator.label) for code, indicator in indicators.items()})
    for code, indicator in indicators.items():
        labels |= {
            f"Resultat_{indicator.control}": f"{indicator.control.upper()} Résultat du contrôle",
            f"{code}_pos_seuil_etbt": f"{code.upper()} Positionnement par rapport à l'objectif de performance",
        }
        if indicator.evolution:
            labels[f"{code}_pos_evol_etbt"] = f"{code.upper()} Evolution par rapport au recueil précédent"
    return _rows("LABEL", header, labels)


def of_iqss(header: Sequence[Cell], indicators: Mapping[str, str]) -> list[list[Cell]]:
    """The lexicons of IQSS: all columns, sorted; the label of the indicator is in brackets."""
    labels = dict(IDENTITY_IQSS)
    for name in map(str, header):
        for code, label in indicators.items():
            if name.lower().endswith(f"_{code}"):
                kinds = {"classe": "Classe ({} )", "res": "Résultat ({})"}
                kind = kinds.get(name.split("_")[0], "Evolution par rapport au recueil précédent ({})")
                labels[name] = kind.format(label)
            elif name.startswith(f"{code}_alerte_sup"):
                labels[name] = ALERT.format(label)
            elif name == f"{code}_ratio_oe":
                labels[name] = f"Score de l'indicateur ({label})"
            elif name == f"{code}_evol":
                labels[name] = "Evolution du statut des établissements évalués - Données 2018 et 2019"
    return _rows("LABEL", sorted(map(str, header)), labels)


def _labels_by_code(indicators: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Labels of value, denominator and bounds, by column. Each indicator has a code in the labels, and a label."""
    labels: dict[str, str] = {}
    for code, (shown, label) in indicators.items():
        labels |= {
            f"{code}_etbt": label,
            f"{code}_den_etbt": f"{shown} Dénominateur",
            f"{code}_icbas_etbt": f"{shown} Intervalle de confiance bas",
            f"{code}_ichaut_etbt": f"{shown} Intervalle de confiance haut",
        }
    return labels


def _rows(title: str, names: Sequence[Cell], labels: Mapping[str, str]) -> list[list[Cell]]:
    """The rows of a lexicon, starting with the header; `title` heads the labels."""
    rows: list[list[Cell]] = [["NAME", title]]
    return rows + [[name, labels.get(str(name))] for name in names]
