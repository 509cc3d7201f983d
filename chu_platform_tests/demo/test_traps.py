"""The pack has every irregularity of the real files, counted with the standard library."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import psycopg2
import pytest
from python_calamine import CalamineWorkbook

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.demo.diagnosis_codes import official_codes
from chu_platform.demo.sizes import STAYS_BY_YEAR
from chu_platform_tests.conftest import CARE
from chu_platform_tests.facts.registers import AGES, rates

pytestmark = pytest.mark.integration

Rows = list[dict[str, str]]
TABLES = {
    "Patient": 16,
    "Consultation": 9,
    "Diagnostic": 2,
    "Professionnel_de_sante": 8,
    "Specialites": 3,
    "Mutuelle": 3,
    "Adher": 2,
    "Prescription": 2,
    "Medicaments": 12,
    "Laboratoire": 3,
    "Salle": 5,
    "AAAA": 7,
    "date": 2,
}


def read(path: Path, delimiter: str, encoding: str = "utf-8", quoted: bool = True) -> Rows:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    with open(path, encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter, quoting=quoting))


@pytest.fixture(scope="session")
def deaths(pack: Path) -> Rows:
    return read(pack / "DECES EN FRANCE" / "deces.csv", ",")


@pytest.fixture(scope="session")
def register(pack: Path) -> Rows:
    return read(pack / "Etablissement de SANTE" / "etablissement_sante.csv", ";")


@pytest.fixture(scope="session")
def activities(pack: Path) -> Rows:
    return read(pack / "Etablissement de SANTE" / "activite_professionnel_sante.csv", ";")


@pytest.fixture(scope="session")
def stays(pack: Path) -> Rows:
    return read(pack / "Hospitalisation" / "Hospitalisations.csv", ";", "ascii", quoted=False)


@pytest.fixture(scope="session")
def care(postgres: EmbeddedPostgres) -> Iterator["psycopg2.extensions.cursor"]:
    connection = psycopg2.connect(postgres.url(CARE))
    with connection, connection.cursor() as cursor:
        yield cursor
    connection.close()


def query(cursor: "psycopg2.extensions.cursor", statement: str) -> list[tuple[Any, ...]]:
    cursor.execute(statement)
    return cursor.fetchall()


def is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


class TestDeaths:
    def test_quotes(self, pack: Path, deaths: Rows) -> None:
        lines = (pack / "DECES EN FRANCE" / "deces.csv").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(deaths) + 1 == 25_089
        assert sum(line.count(",") > 9 for line in lines) > 40
        assert any('""' in line for line in lines)
        assert all(None not in row and None not in row.values() for row in deaths)

    @pytest.mark.parametrize(
        "pattern", [r"\d{4}-\d\d-00", r"\d{4}-00-00", r"\d{4}", r"0000-00-00", r"\d{4}-(02-30|06-31|13-\d\d)"]
    )
    def test_invalid_birth_dates(self, deaths: Rows, pattern: str) -> None:
        assert any(re.fullmatch(pattern, row["date_naissance"]) for row in deaths)

    def test_unusual_birth_dates(self, deaths: Rows) -> None:
        born = [row for row in deaths if is_date(row["date_naissance"]) and is_date(row["date_deces"])]
        assert any(row["date_naissance"] < "1582-10-15" for row in born)
        assert any(row["date_naissance"] > row["date_deces"] for row in born)

    @pytest.mark.parametrize(
        "pattern",
        [
            *(
                "2A...",
                "2B...",
                "20...",
                "971..",
                "972..",
                "973..",
                "974..",
                "976..",
                "9[78][578]..|98[678]..",
                "99...",
            ),
            *(r"\d{4}", "2[ab]...", "985..", "98405", "92352"),
            *("9135[234]", "751(0[1-9]|1[0-9]|20)", "6938[1-9]", "132(0[1-9]|1[0-6])", "", "96..."),
        ],
    )
    def test_places_of_death(self, deaths: Rows, pattern: str) -> None:
        assert any(re.fullmatch(pattern, row["code_lieu_deces"]) for row in deaths)

    def test_impossible_dates_of_death(self, deaths: Rows) -> None:
        assert 1 < sum(not is_date(row["date_deces"]) for row in deaths) < 20

    @pytest.mark.parametrize("pattern", [r"\d{4}", r"\d{4}-\d\d", r"\d{4}-00-00", r"\d{4}-(0[1-9]|1[0-2])-00"])
    def test_partial_dates_of_death(self, deaths: Rows, pattern: str) -> None:
        assert any(re.fullmatch(pattern, row["date_deces"]) for row in deaths)

    def test_exact_duplicates(self, deaths: Rows) -> None:
        different = len({tuple(row.values()) for row in deaths})
        assert 0.003 < 1 - different / len(deaths) < 0.01

    def test_years(self, deaths: Rows) -> None:
        years = Counter(int(row["date_deces"][:4]) for row in deaths)
        assert set(years) == set(range(1971, 2021))
        assert years[2020] < years[2019] / 3
        assert all(row["date_deces"] < "2020-04-05" for row in deaths)

    def test_plausible(self, deaths: Rows) -> None:
        ages = [
            int(row["date_deces"][:4]) - int(row["date_naissance"][:4])
            for row in deaths
            if row["date_naissance"][:1] == "1"
        ]
        assert sum(age >= 65 for age in ages) / len(ages) > 0.7
        months = Counter(row["date_deces"][5:7] for row in deaths if row["date_deces"] < "2020")
        assert months["01"] > 1.1 * months["08"]

    def test_deaths_follow_from_population_and_mortality_tables(self, pack: Path, deaths: Rows) -> None:
        """By quota: in each year nearly as many as expected, also of the oldest."""
        people = read(pack / "Population" / "population_department_sex_age.csv", ",")
        expected: Counter[tuple[str, bool]] = Counter()
        for row in people:
            for group, age in enumerate(AGES):
                deaths_of_group = int(row[str(age)]) * rates(min(int(row["year"]), 2019), row["sex"])[group]
                expected[row["year"], age >= 85] += deaths_of_group  # type: ignore[assignment]
        different = {tuple(row.values()): row for row in deaths}.values()
        dated = [r for r in different if is_date(r["date_naissance"]) and is_date(r["date_deces"])]
        found = Counter(
            (
                r["date_deces"][:4],
                (date.fromisoformat(r["date_deces"]) - date.fromisoformat(r["date_naissance"])).days > 31_045,
            )
            for r in dated
            if r["code_lieu_deces"][:2] not in ("", "99", "91", "98", "96")
        )
        for year in map(str, range(1990, 2020)):
            most = 1.06 if year == "2003" else 1.04
            assert (
                0.94 < sum(found[year, o] for o in (True, False)) / sum(expected[year, o] for o in (True, False)) < most
            )
            assert 0.9 < found[year, True] / expected[year, True] < 1.1

    def test_the_summer_of_2003(self, deaths: Rows) -> None:
        august = Counter(row["date_deces"][:4] for row in deaths if row["date_deces"][5:7] == "08")
        assert august["2003"] > 1.2 * max(august["2002"], august["2004"])


class TestRegister:
    def test_newlines_quotes_and_keys(self, register: Rows) -> None:
        assert len(register[0]) == 24
        assert all(None not in row and None not in row.values() for row in register)
        assert any("\n" in row["adresse"] for row in register)
        assert any('"' in row["complement_destinataire"] for row in register)
        assert len({row["identifiant_organisation"] for row in register}) < len(register)
        assert all(re.fullmatch(r"F[0-9][0-9AB][0-9]{7}", row["identifiant_organisation"]) for row in register)

    def test_towns_and_places(self, register: Rows) -> None:
        without = [row for row in register if not row["commune"]]
        assert 0.3 < len(without) / len(register) < 0.37
        assert any(re.match(r"\d{5} \D", row["cedex"]) for row in without)
        places = [(bool(row["code_commune"]), bool(row["code_postal"]), bool(row["cedex"])) for row in register]
        assert {
            (False, True, False),
            (False, False, True),
            (False, False, False),
            (True, False, False),
        } <= set(places)
        assert {row["code_commune"][:2] for row in register} >= {"2A", "2B", "97", "75"}
        assert sum(bool(row["finess_site"]) for row in register) < len(register) / 100

    def test_professionals(self, pack: Path) -> None:
        path = pack / "Etablissement de SANTE" / "professionnel_sante.csv"
        with pytest.raises(UnicodeDecodeError):
            path.read_text(encoding="utf-8")
        rows = read(path, ";", "cp1252")
        keys = Counter(row["identifiant"] for row in rows)
        assert max(keys.values()) > 1
        assert any(len(key) == 11 for key in keys) and any(re.fullmatch(r"\d[\dAB]A\d{6}", key) for key in keys)
        assert any("é" in row["nom"] for row in rows)

    def test_activities(self, activities: Rows, register: Rows) -> None:
        known = {row["identifiant_organisation"] for row in register}
        astray = sum(row["identifiant_organisation"] not in known for row in activities)
        assert 0.05 < astray / len(activities) < 0.3
        pairs = Counter((row["identifiant"], row["identifiant_organisation"]) for row in activities)
        triples = {tuple(row.values()) for row in activities}
        assert len(pairs) < len(triples) < len(activities)
        assert max(Counter(pro for pro, _ in pairs).values()) > 3


class TestStays:
    def test_rows(self, pack: Path, stays: Rows) -> None:
        raw = (pack / "Hospitalisation" / "Hospitalisations.csv").read_bytes()
        assert b"\r" not in raw and b'"' not in raw
        assert all(None not in row and None not in row.values() for row in stays)
        assert any("," in row["Suite_diagnostic_consultation"] for row in stays)
        days = [datetime.strptime(row["Date_Entree"], "%d/%m/%Y").date() for row in stays]
        assert Counter(day.year for day in days) == STAYS_BY_YEAR
        assert (min(days), max(days)) == (date(2015, 6, 21), date(2021, 6, 19))
        lengths = [int(row["Jour_Hospitalisation"]) for row in stays]
        assert (sum(lengths), min(lengths), max(lengths)) == (38_244, 1, 30)
        assert len({row["Id_patient"] for row in stays}) == 2_465
        assert len({row["Num_Hospitalisation"] for row in stays}) == 2_479

    def test_organisations(self, stays: Rows, register: Rows) -> None:
        organisations = [row["identifiant_organisation"] for row in stays]
        assert len(set(organisations)) == 2_479
        assert Counter(map(len, organisations)) == {10: 2_472, 18: 7}
        known = {row["identifiant_organisation"] for row in register}
        assert sum(one[:10] in known for one in organisations) > 2_400

    def test_patients_and_codes(self, stays: Rows, care: "psycopg2.extensions.cursor") -> None:
        patients = {number for (number,) in query(care, 'SELECT "Id_patient" FROM "Patient"')}
        assert sum(int(row["Id_patient"]) not in patients for row in stays) == 3
        listed = {code for (code,) in query(care, 'SELECT "Code_diag" FROM "Diagnostic"')}
        official = official_codes()
        outside = {row["Code_diagnostic"] for row in stays} - listed
        assert any(code in official for code in outside)
        assert any(code[:3] not in official for code in outside)


class TestCareDatabase:
    def test_tables_and_columns(self, care: "psycopg2.extensions.cursor") -> None:
        found = query(
            care,
            "SELECT table_name, count(*) FROM information_schema.columns WHERE table_schema = 'public' GROUP BY 1",
        )
        assert dict(found) == TABLES
        types = query(
            care,
            "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns"
            " WHERE table_name = 'Patient' ORDER BY ordinal_position",
        )
        assert types[0] == ("Id_patient", "integer", None)
        assert types[10] == ("Date", "character varying", 10)
        keyed = query(
            care,
            "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'p'"
            " AND connamespace = 'public'::regnamespace",
        )
        assert {name.strip('"') for (name,) in keyed} == set(TABLES) - {
            "Adher",
            "Prescription",
            "AAAA",
            "date",
        }

    def test_patients(self, care: "psycopg2.extensions.cursor") -> None:
        births = [birth for (birth,) in query(care, 'SELECT "Date" FROM "Patient"')]
        known = [str(birth) for birth in births if birth is not None]
        assert 0 < len(births) - len(known) < 30
        assert all(re.fullmatch(r"[1-9]\d?/[1-9]\d?/\d{4}", birth) for birth in known)
        assert any(int(birth.split("/")[1]) > 12 for birth in known)
        shares = dict(query(care, 'SELECT "Sexe", count(*) FROM "Patient" GROUP BY 1'))
        assert set(shares) == {"male", "female"} and shares["female"] > shares["male"]
        assert query(care, 'SELECT count(*) FROM "Patient" WHERE length("Num_Secu") <> 16') == [(0,)]

    def test_consultations(self, care: "psycopg2.extensions.cursor") -> None:
        bounds = query(care, 'SELECT min("Date"), max("Date"), count(*) FROM "Consultation"')
        assert bounds == [(date(2015, 6, 20), date(2023, 3, 31), 2_000)]
        slots = query(care, 'SELECT "Heure_debut"::text, "Heure_fin"::text, count(*) FROM "Consultation" GROUP BY 1, 2')
        assert {(start[:2], end[:2]) for start, end, _ in slots} == {
            ("08", "12"),
            ("13", "18"),
            ("20", "23"),
            ("20", "02"),
        }
        assert [count for start, end, count in slots if end == "02:00:00"] == [10]
        assert query(care, 'SELECT count(*) > 0 FROM "Consultation" WHERE "Id_mut" = 0') == [(True,)]
        for column, table, key in (
            ("Id_patient", "Patient", "Id_patient"),
            ("Id_prof_sante", "Professionnel_de_sante", "Identifiant"),
            ("Code_diag", "Diagnostic", "Code_diag"),
        ):
            orphans = f'SELECT count(*) FROM "Consultation" WHERE "{column}" NOT IN (SELECT "{key}" FROM "{table}")'
            assert query(care, orphans) == [(0,)]
        assert query(care, 'SELECT count(DISTINCT "Motif") FROM "Consultation"') == [(58,)]

    def test_consultations_of_attached_professionals(
        self, care: "psycopg2.extensions.cursor", activities: Rows, register: Rows
    ) -> None:
        known = {row["identifiant_organisation"] for row in register}
        attached = {row["identifiant"] for row in activities if row["identifiant_organisation"] in known}
        professionals = [one for (one,) in query(care, 'SELECT "Id_prof_sante" FROM "Consultation"')]
        assert 0.55 < sum(one in attached for one in professionals) / len(professionals) < 0.73

    def test_diagnoses(self, care: "psycopg2.extensions.cursor") -> None:
        codes = [str(code) for (code,) in query(care, 'SELECT "Code_diag" FROM "Diagnostic"')]
        official = official_codes()
        assert len(codes) == 15_490 and {len(code) for code in codes} == {3, 4, 5, 6}
        exact = {code for code in codes if code in official}
        by_four = {code for code in codes if code in exact or code[:4] in official}
        by_three = {code for code in codes if code in by_four or code[:3] in official}
        shares = [round(len(found) / len(codes), 2) for found in (exact, by_four, by_three)]
        assert shares == [0.75, 0.98, 0.99]

    def test_small_tables(self, care: "psycopg2.extensions.cursor") -> None:
        for table, rows in (
            ("Specialites", 93),
            ("Mutuelle", 254),
            ("Laboratoire", 677),
            ("Medicaments", 15_455),
        ):
            assert query(care, f'SELECT count(*) FROM "{table}"') == [(rows,)]
        assert query(care, 'SELECT count("Adresse"), min("Id_Mut") FROM "Mutuelle"') == [(0, 1)]
        assert all(re.fullmatch(r"\d\d/\d\d/\d{4}", str(one)) for (one,) in query(care, 'SELECT date1 FROM "date"'))


class TestSatisfaction:
    def test_encodings_and_line_ends(self, pack: Path) -> None:
        folder = pack / "Satisfaction"
        with pytest.raises(UnicodeDecodeError):
            (folder / "2019/resultats-esatis48h-mco-open-data-2019.csv").read_text(encoding="utf-8")
        ends = {b"\r\n" in path.read_bytes() for path in folder.rglob("*.csv") if path.stat().st_size}
        assert ends == {True, False}
        for path in (folder / "2016").glob("*.csv"):
            assert ";" not in path.read_text(encoding="cp1252")

    def test_rows(self, pack: Path) -> None:
        folder = pack / "Satisfaction"
        for name, rows, columns in (
            ("ESATIS48H_MCO_recueil2017_donnees.csv", 1_157, 23),
            ("2019/resultats-esatis48h-mco-open-data-2019.csv", 1_152, 25),
            ("2019/resultats-esatisca-mco-open-data-2019.csv", 945, 23),
        ):
            found = read(folder / name, ";", "cp1252", quoted=False)
            assert (len(found), len(found[0])) == (rows, columns)
            assert len({row["finess_geo"] for row in found}) == rows
            assert len({row["finess"] for row in found}) < rows
            assert {row["classement"] for row in found} == {"A", "B", "C", "D", "DI", "NR", "NV"}
            assert len({row["region"] for row in found}) == 17
            assert {row["finess_geo"][:4] for row in found if row["region"] == "Océan Indien"} == {
                "9704",
                "9805",
            }

    def test_decimal_marks(self, pack: Path) -> None:
        folder = pack / "Satisfaction"
        for name, score, part, mark, part_mark in (
            (
                "ESATIS48H_MCO_recueil2017_donnees.csv",
                "score_all_rea_ajust",
                "score_repas_rea_ajust",
                ".",
                ".",
            ),
            (
                "2019/resultats-esatis48h-mco-open-data-2019.csv",
                "score_all_rea_ajust",
                "score_repas_rea_ajust",
                ",",
                ".",
            ),
            (
                "2019/resultats-esatisca-mco-open-data-2019.csv",
                "score_all_ajust",
                "score_PEC_ajust",
                ",",
                ",",
            ),
        ):
            rows = [row for row in read(folder / name, ";", "cp1252", quoted=False) if row[score]]
            assert all(mark in row[score] and part_mark in row[part] for row in rows)

    def test_workbooks(self, pack: Path) -> None:
        folder = pack / "Satisfaction" / "2020"

        def sheet(name: str) -> list[list[object]]:
            path = folder / f"resultats-{name}-mco-open-data-2020.xlsx"
            return [list(row) for row in CalamineWorkbook.from_path(path).get_sheet_by_name("Resultats").to_python()]

        header, *rows = sheet("esatis48h")
        assert (len(rows), len(header)) == (1_150, 25)
        scored = [row for row in rows if row[8] != ""]
        assert 0 < len(scored) < len(rows)
        assert all(isinstance(row[8], float) and isinstance(row[7], str) and isinstance(row[12], str) for row in scored)
        assert {row[10] for row in rows} == {"NA"}
        header, *rows = sheet("esatisca")
        assert (len(rows), len(header)) == (931, 23)
        assert all(isinstance(row[7], float) for row in rows if row[8] != "")

    def test_care_quality_regions_before_2016(self, pack: Path) -> None:
        folder = pack / "Satisfaction/2014"
        whole = read(folder / "DPA_SSR_recueil2014_donnee2013_table_es.csv", ";", "cp1252", quoted=False)
        labels = {row["libelle_region"] for row in whole}
        assert {"Rhône Alpes", "Basse Normandie", "Service de santé des armées", "Océan Indien"} <= labels
        assert len(labels) == 24
        cut = read(folder / "RCP_MCO_recueil2014_donnee2013_table_es.csv", ";", "cp1252", quoted=False)
        assert {row["Libelle_region"] for row in cut} == {label[:18] for label in labels}

    def test_care_quality_workbook_of_2020(self, pack: Path) -> None:
        file = pack / "Satisfaction/2020/resultats-iqss-open-data-2020.xlsx"
        header, *rows = CalamineWorkbook.from_path(file).get_sheet_by_name("Resultats").to_python()
        assert (len(header), header[0], header[4]) == (9, "finess", "ete_ortho_ratio_oe")
        assert {type(row[4]) for row in rows} == {float, str}

    def test_pasted_workbook_repeats_the_csv(self, pack: Path) -> None:
        stem = pack / "Satisfaction/2016/dpa_had_recueil2016_donnee2015_donnees"
        lines = stem.with_suffix(".csv").read_text(encoding="cp1252").splitlines()
        rows = CalamineWorkbook.from_path(stem.with_suffix(".xlsx")).get_sheet_by_index(0).to_python()
        assert [row[0] for row in rows] == lines and {len(row) for row in rows} == {1}

    def test_sites_are_organisations(self, pack: Path, register: Rows) -> None:
        known = {row["identifiant_organisation"] for row in register}
        path = pack / "Satisfaction/2019/resultats-esatis48h-mco-open-data-2019.csv"
        rows = read(path, ";", "cp1252", quoted=False)
        assert sum("F" + row["finess_geo"] in known for row in rows) / len(rows) > 0.9
