"""The region of a site in the files of the surveys: that of its label, or else that of its FINESS number.

Labels differ between campaigns, and some are not a region ("Océan Indien", "TOM", military hospitals). Saint-Martin and
Saint-Barthélemy share the FINESS numbers of Guadeloupe: only their labels tell that they are no part of a region.
"""

from typing import Final

from chu_platform.tables.spark_sql import UNKNOWN

# Labels, in lower case, of the overseas territories that are not a region.
COLLECTIVITIES: Final = (
    "(saint|st)[ .-]*(martin|barth)|miquelon|polyn[ée]sie|cal[ée]donie|wallis|futuna|collectivit[ée]"
)


def department_of_site(site: str) -> str:
    """SQL of the department code in a FINESS number.

    Numbers of overseas departments begin with 970 and the last digit of the department, or with the department; those
    of Mayotte also with 9805. Some numbers of Corsica begin with 20.
    """
    return f"""
        CASE WHEN {site} LIKE '9805%' THEN '976'
             WHEN {site} LIKE '970%' THEN concat('97', substr({site}, 4, 1))
             WHEN {site} LIKE '97%' THEN substr({site}, 1, 3)
             WHEN {site} LIKE '20%' THEN '2A' ELSE substr({site}, 1, 2) END
    """


def region_of_site(site: str, label: str, survey_region: str, department: str) -> str:
    """SQL of the region code of a site; 99 for overseas territories that are not a region.

    `label` is the delivered label. `survey_region` is the alias of the reference of labels, joined to the label of the
    site without blanks around it. `department` is that of the departments, joined to `department_of_site`.
    """
    return f"""
        coalesce(CASE WHEN substr({site}, 1, 2) IN ('97', '98') AND lower({label}) RLIKE '{COLLECTIVITIES}' THEN '99'
                      END, {survey_region}.region_code, {department}.region_code,
                 CASE WHEN {site} LIKE '97%' OR {site} LIKE '98%' THEN '99' ELSE '{UNKNOWN}' END)
    """
