"""The care-quality files there are: the facts read them all.

Here: the list, by campaign. Not here: what a file holds.
"""

from collections.abc import Sequence
from typing import Final

from chu_platform.building_blocks.care_quality import CareQuality
from chu_platform.sources.dan_mco_2016 import dan_mco_2016
from chu_platform.sources.dpa_had_2016 import dpa_had_2016, dpa_had_2016_workbook
from chu_platform.sources.dpa_ssr_2014 import dpa_ssr_2014
from chu_platform.sources.dpa_ssr_2018 import dpa_ssr_2018
from chu_platform.sources.ete_ortho_2018 import ete_ortho_2018
from chu_platform.sources.hpp_mco_2015 import hpp_mco_2015
from chu_platform.sources.idm_mco_2015 import idm_mco_2015
from chu_platform.sources.iqss_2019 import iqss_2019
from chu_platform.sources.iqss_2020 import iqss_2020
from chu_platform.sources.rcp_mco_2014 import rcp_mco_2014
from chu_platform.sources.rcp_mco_2018 import rcp_mco_2018

CARE_QUALITY_FILES: Final[Sequence[CareQuality]] = (
    dpa_ssr_2014,
    rcp_mco_2014,
    hpp_mco_2015,
    idm_mco_2015,
    dan_mco_2016,
    dpa_had_2016,
    dpa_had_2016_workbook,
    dpa_ssr_2018,
    ete_ortho_2018,
    rcp_mco_2018,
    iqss_2019,
    iqss_2020,
)
