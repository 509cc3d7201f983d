"""The region of a site in the files of the surveys: that of its label, or else that of its FINESS number.

Labels differ between campaigns, and some are not a region ("Océan Indien", "TOM", military hospitals).
"""

from chu_platform.tables.spark_sql import UNKNOWN


def department_of_site(site: str) -> str:
    """SQL of the department code in a FINESS number. The numbers of Mayotte begin with 9805; some of Corsica with 20."""
    return f"""
        CASE WHEN {site} LIKE '9805%' THEN '976' WHEN {site} LIKE '97%' THEN concat('97', substr({site}, 4, 1))
             WHEN {site} LIKE '20%' THEN '2A' ELSE substr({site}, 1, 2) END
    """


def region_of_site(site: str, survey_region: str, department: str) -> str:
    """SQL of the region code of a site; 99 for overseas territories that are not a region.

    `survey_region` is the alias of the reference of labels, joined to the label of the site without blanks around it.
    `department` is that of the departments, joined to `department_of_site`.
    """
    return f"""
        coalesce({survey_region}.region_code, {department}.region_code,
                 CASE WHEN {site} LIKE '97%' OR {site} LIKE '98%' THEN '99' ELSE '{UNKNOWN}' END)
    """
