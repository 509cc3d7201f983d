"""Row checks of the sources of care: events and births have possible dates.

A row with another date is a reject, so that a typing error neither stops a table nor adds empty centuries to the
periods of the indicators.
"""

from datetime import date
from typing import Final

from chu_platform.ingest.delivered import RowCheck
from chu_platform.tables.duckdb_sql import sql_name

# First day with recorded care that can be delivered. Earlier dates are typing errors.
EARLIEST: Final = date(1990, 1, 1)
# SQL of the last possible day. In Mayotte or La Réunion, the day begins before that of the server.
LATEST: Final = "(current_date + 1)"
# Earlier years of birth are damage, not great age.
EARLIEST_BIRTH: Final = 1850
# Above this share of rejects, the dates of a file are not typing errors: it is refused.
MAX_IMPLAUSIBLE_SHARE: Final = 0.2


def dated_event(column: str) -> RowCheck:
    """The date is neither before EARLIEST nor after the delivery, that is, in the future."""
    return RowCheck("date_out_of_range", column, f"{sql_name(column)} BETWEEN DATE '{EARLIEST}' AND {LATEST}")


def born_before_delivery(column: str) -> RowCheck:
    """The year of birth, in a text of any format, is neither before EARLIEST_BIRTH nor in the future."""
    year = f"try_cast(regexp_extract({sql_name(column)}, '\\d{{4}}') AS INTEGER)"
    return RowCheck("birth_year_out_of_range", column, f"{year} BETWEEN {EARLIEST_BIRTH} AND year(current_date)")
