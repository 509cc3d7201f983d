"""Indicator 17: prescriptions line by line: of which form, of which medication, by which speciality."""

from collections import Counter, defaultdict

import duckdb
import pyarrow as pa

KEY = ("period_grain", "period_start", "period_end", "is_partial", "level", "code")
Group = tuple[object, ...]


def compute(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The table of the indicator, from the tables that `care_indicators` has prepared."""
    forms = dict(
        connection.execute(
            """SELECT "Code_CIS", coalesce("Forme_pharmaceutique", 'Inconnu') FROM "raw_Medicaments" """
        ).fetchall()
    )
    medications: dict[int, list[str]] = defaultdict(list)
    for number, code in connection.execute('SELECT "Num_consultation", "Code_CIS" FROM "raw_Prescription"').fetchall():
        medications[number].append(code)
    prescriptions: Counter[Group] = Counter()
    patients: dict[Group, set[int]] = defaultdict(set)
    consulting: dict[Group, set[int]] = defaultdict(set)
    for *period, number, patient, is_known, speciality in connection.execute(
        """
        SELECT c.period_grain, c.period_start, p.period_end, p.is_partial, c.id, c.patient, c.is_known,
            coalesce(s.speciality, 'Inconnu')
        FROM consultation_in c JOIN consultation_period p USING (period_grain, period_start)
        LEFT JOIN professional s ON s.id = c.professional WHERE c.period_grain IN ('year', 'all')
        """
    ).fetchall():
        groups = [(*period, "total", "total"), (*period, "speciality", speciality)]
        if is_known:
            for group in groups:
                consulting[group].add(patient)
        for code in medications.get(number, ()):
            form = forms.get(code, "Inconnu")
            known = code if code in forms else "inconnu"
            for group in [*groups, (*period, "form", form), (*period, "medication", known)]:
                prescriptions[group] += 1
                if is_known:
                    patients[group].add(patient)
    rows = []
    for group, number in prescriptions.items():
        *period, level, _ = group
        whole = (*period, "total", "total")
        rows.append(
            dict(zip(KEY, group, strict=True))
            | {
                "prescriptions": number,
                "patients": len(patients[group]),
                "share": number / prescriptions[whole],
                "consulting_patients": len(consulting[group if level == "speciality" else whole]),
            }
        )
    return pa.Table.from_pylist(rows).sort_by([(n, "ascending") for n in KEY])
