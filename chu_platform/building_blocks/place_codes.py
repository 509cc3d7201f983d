"""Departments of INSEE codes of communes and countries, for the engine."""


def department_of(code: str) -> str:
    """Spark SQL of the department of a place; null for a place outside the departments, and for another text.

    `code` is SQL of an INSEE code of five characters. The department of Corsica before 1976 is 20.
    """
    return (
        f"CASE WHEN length({code}) <> 5 THEN NULL "
        # Saint-Barthélemy and Saint-Martin, with codes of when they were communes of Guadeloupe.
        f"WHEN {code} IN ('97123', '97127') THEN NULL "
        f"WHEN substr({code}, 1, 2) = '97' THEN substr({code}, 1, 3) "
        # Codes of before the departments: Mayotte and La Réunion.
        f"WHEN substr({code}, 1, 3) = '985' THEN '976' "
        f"WHEN {code} = '98405' THEN '974' "
        # Departments of Algeria.
        f"WHEN substr({code}, 1, 2) IN ('91', '92', '93', '94') AND substr({code}, 3, 3) IN ('352', '353', '354') "
        f"THEN NULL ELSE substr({code}, 1, 2) END"
    )
