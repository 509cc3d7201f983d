"""The definitions of the platform, with a table that takes minutes: for tests of what an interrupt does.

The file WAITS_FOR in CHU_HOME names what the step of the table waits for; the step creates the file BEGUN. Only
programs that the tests start import this module: it changes how steps write their rows.
"""

from chu_platform.automation.build_definitions import build_defs
from chu_platform.graph import step
from chu_platform.tables.rows import Computed
from chu_platform_tests.automation.long_waits import BEGUN, KINDS, TABLE, WAITS_FOR


class _RowWriter(step._RowWriter):
    def visit_computed(self, rows: Computed) -> None:
        if (self.table.layer, self.table.name) == TABLE:
            home = self.resources.settings.home
            KINDS[(home / WAITS_FOR).read_text()](self.resources, home / BEGUN)
        super().visit_computed(rows)


step._RowWriter = _RowWriter  # type: ignore[misc]
defs = build_defs()
