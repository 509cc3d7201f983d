"""Restore the tables of a dump: run its statements, skip what is no data and cannot exist here, and name it.

A dump is untrusted. Its statements run as a role without any right outside its database, so the server refuses to run
programs, to read and write files, and to load code. No statement reaches a program such as psql: its commands are
recognised here, and those that a dump does not need are refused.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor

from chu_platform.care_database.dump_script import CutDumpError, DumpScript, MetaCommand, Statement
from chu_platform.errors import ChuError

# INSERT statements that are sent together.
BATCH_BYTES: Final = 1 << 18
COPY_BUFFER_BYTES: Final = 1 << 20
MAX_NAMES: Final = 12
DISK_FULL: Final = "53100"
NOT_IN_ENCODING: Final = "22021"
MAX_REPAIRS: Final = 40
# The first bytes of a statement that are looked at: enough for two names, and for the columns of a table.
SHORT_HEAD: Final = 300
LONG_HEAD: Final = 1 << 16
# Names in place of a role, and the role that every server has. Their absence says nothing about a dump.
USUAL_ROLES: Final = frozenset(("postgres", "public", "current_user", "session_user"))
FLAGS: Final = re.I | re.S

_PART: Final = r'(?:"(?:[^"]|"")+"|[\w$\x80-\xff]+)'
_NAME: Final = rf"{_PART}(?:\.{_PART})*"
_TABLE: Final = rf"(?:IF (?:NOT )?EXISTS |ONLY )*({_NAME})"


def _pattern(text: str) -> re.Pattern[bytes]:
    """A pattern of the beginning of a statement, with one blank for any white space."""
    return re.compile(text.encode("latin-1"), FLAGS)


# What is never run, and the group in which its name is listed; without a group, it is no loss.
_NOT_RUN: Final = (
    (_pattern(rf"(?:CREATE|ALTER|DROP) TABLESPACE {_TABLE}"), "tablespaces"),
    (_pattern(rf"SET default_tablespace ?= ?(?!''|\"\")'?({_NAME})"), "tablespaces"),
    (_pattern(rf"ALTER (?:TABLE|INDEX|MATERIALIZED VIEW|DATABASE) .* SET TABLESPACE ({_NAME})"), "tablespaces"),
    (_pattern(rf"ALTER .* OWNER TO ({_NAME})\Z"), "roles"),
    (_pattern(rf"(?:CREATE|ALTER|DROP) (?:ROLE|USER|GROUP) (?!MAPPING){_TABLE}"), "roles"),
    (_pattern(rf"(?:GRANT|REVOKE) .* (?:TO|FROM) (?:GROUP )?({_NAME})"), "roles"),
    (_pattern(rf"ALTER DEFAULT PRIVILEGES .* (?:TO|FROM) ({_NAME})"), "roles"),
    (_pattern(rf"SET (?:SESSION |LOCAL )?(?:SESSION AUTHORIZATION|ROLE) '?({_NAME})"), "roles"),
    (_pattern(r"RESET (?:SESSION AUTHORIZATION|ROLE)"), None),
    (_pattern(rf"(?:CREATE|ALTER|DROP) POLICY {_TABLE}"), "policies"),
    (_pattern(rf"ALTER TABLE {_TABLE} (?:ENABLE|DISABLE|FORCE|NO FORCE) ROW LEVEL SECURITY"), "row-level security"),
    (_pattern(rf"(?:CREATE|ALTER|DROP) PUBLICATION {_TABLE}"), "publications"),
    (_pattern(rf"(?:CREATE|ALTER|DROP) SUBSCRIPTION {_TABLE}"), "subscriptions"),
    (_pattern(rf"(?:CREATE|ALTER|DROP) EVENT TRIGGER {_TABLE}"), "event triggers"),
    (_pattern(rf"SECURITY LABEL .* ON [A-Z ]+ ({_NAME}) IS"), "security labels"),
    (_pattern(r"(?:CREATE|ALTER|DROP|COMMENT ON) DATABASE"), None),
    (_pattern(r"COMMENT ON (?:EXTENSION|POLICY|PUBLICATION|SUBSCRIPTION|EVENT TRIGGER|ROLE|TABLESPACE)"), None),
    (_pattern(r"SET (?:SESSION |LOCAL )?(?:session_replication_role|default_tablespace)"), None),
    (_pattern(r"ALTER TABLE .* (?:ENABLE|DISABLE) TRIGGER (?:ALL|USER)"), None),
)
# What has no rows: it is skipped if something that it needs does not exist here.
_WITHOUT_ROWS: Final = (
    (_pattern(rf"CREATE EXTENSION {_TABLE}"), "extensions"),
    (_pattern(rf"CREATE COLLATION {_TABLE}"), "collations"),
    (_pattern(rf"CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?{_TABLE}"), "indexes"),
    (_pattern(rf"CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|AGGREGATE) {_TABLE}"), "functions"),
    (_pattern(rf"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?(?:TRIGGER|RULE) {_TABLE}"), "triggers and rules"),
    (_pattern(rf"CREATE (?:OR REPLACE )?(?:RECURSIVE |MATERIALIZED )?VIEW {_TABLE}"), "views"),
    (_pattern(rf"REFRESH MATERIALIZED VIEW {_TABLE}"), "views"),
    (_pattern(rf"ALTER TABLE {_TABLE} (?:ADD CONSTRAINT|VALIDATE CONSTRAINT)"), "constraints"),
    (
        _pattern(
            rf"ALTER TABLE {_TABLE} (?:CLUSTER|REPLICA|SET|ALTER (?:COLUMN )?{_PART} SET|ENABLE|DISABLE|OF|INHERIT)\b"
        ),
        "settings of tables",
    ),
    (
        _pattern(
            rf"CREATE (?:FOREIGN TABLE|SERVER|FOREIGN DATA WRAPPER|USER MAPPING(?: FOR {_PART} SERVER)?) {_TABLE}"
        ),
        "foreign servers and tables",
    ),
    (
        _pattern(
            rf"(?:CREATE|ALTER) (?:OR REPLACE |TRUSTED |PROCEDURAL |DEFAULT )*(?:OPERATOR(?: CLASS| FAMILY)?|CAST|"
            rf"LANGUAGE|TRANSFORM|CONVERSION|ACCESS METHOD|STATISTICS|TEXT SEARCH [A-Z]+|INDEX|FUNCTION|PROCEDURE|"
            rf"AGGREGATE|VIEW|MATERIALIZED VIEW|FOREIGN TABLE|TRIGGER|RULE|COLLATION|EXTENSION|TYPE|DOMAIN) "
            rf"{_TABLE}?"
        ),
        "other objects",
    ),
    (_pattern(r"COMMENT ON"), None),
    (_pattern(r"(?:SET|RESET) "), None),
    (_pattern(r"SELECT pg_catalog\.set_config\("), None),
    (_pattern(r"DROP "), None),
    (_pattern(r"SELECT pg_catalog\.lo_unlink\("), None),
    (_pattern(r"SELECT \* FROM pg_catalog\.pg_restore_\w+_stats\("), None),
    (_pattern(r"ALTER TABLE .* DROP "), None),
    (_pattern(r"CREATE SCHEMA (?:IF NOT EXISTS )?(?:public|\"public\")\Z"), None),
)
# Classes of SQLSTATE: names and rights, features, schemas, and dependencies that do not exist here; bad settings.
_MISSING: Final = ("42", "0A", "3F", "2B", "58", "22023")
_CREATES_TABLE: Final = _pattern(rf"CREATE (?:(?:GLOBAL |LOCAL )?(?:TEMP|TEMPORARY) |UNLOGGED )?TABLE {_TABLE}")
_CREATES_TYPE: Final = _pattern(rf"(?:CREATE (?:TYPE|DOMAIN|SCHEMA)|ALTER TABLE) {_TABLE}")
_COPY: Final = _pattern(rf"COPY ({_NAME})[ (].*FROM STDIN")
_INSERT: Final = _pattern(rf"INSERT INTO ({_NAME})")
_ENCODING: Final = _pattern(r"SET (?:SESSION )?client_encoding(?: ?= ?| TO )'?([\w-]+)'?")
_WITH_POLICIES: Final = _pattern(r"SET (?:SESSION )?row_security(?: ?= ?| TO )'?(?:on|true|1)")
_STRINGS: Final = _pattern(r"SET (?:SESSION )?standard_conforming_strings(?: ?= ?| TO )'?(?:(off|false|0)|on|true|1)")
# What a table can do without, if it names something that does not exist here. pg_dump writes each column in a line.
_DISPENSABLE: Final = (
    re.compile(rf" COLLATE {_NAME}".encode("latin-1"), re.I),
    re.compile(rf" TABLESPACE {_NAME}".encode("latin-1"), re.I),
    re.compile(rf" AUTHORIZATION {_NAME}".encode("latin-1"), re.I),
    re.compile(rf"\nUSING {_NAME}".encode("latin-1"), re.I),
    re.compile(rb" DEFAULT [^\n]*?(?= NOT NULL|,?$|\n)", re.I | re.M),
    re.compile(rb",?\n\s*CONSTRAINT [^\n]* CHECK [^\n]*?(?=,?$)", re.I | re.M),
)
_NO_TYPE: Final = re.compile(r'type "([\w.]+)" does not exist')
# Commands of psql that change nothing.
_HARMLESS: Final = frozenset(("restrict", "unrestrict", "set", "unset", "echo", "qecho", "warn", "timing", "pset"))
_CONNECT: Final = ("c", "connect")


class OtherEncodingError(Exception):
    """The dump is of a database without an encoding (SQL_ASCII)."""


class Skipped:
    """The names of what is not restored, by group. `roles` are the roles that exist here."""

    def __init__(self, roles: Iterable[str] = ()) -> None:
        self._roles = USUAL_ROLES | set(roles)
        self._groups: dict[str, dict[str, None]] = {}

    def add(self, group: str | None, name: bytes | None) -> None:
        """Add a name; nothing is added without a group."""
        text = (name or b"").decode("utf-8", "replace").replace('"', "")
        if group and not (group == "roles" and (text in self._roles or text.lower() in USUAL_ROLES)):
            self._groups.setdefault(group, {})[text] = None

    def names(self, group: str) -> Sequence[str]:
        """The names of a group."""
        return list(self._groups.get(group, ()))

    def warning(self, dump: str) -> str | None:
        """One line with all names; None if nothing was skipped."""
        if not self._groups:
            return None
        listed = "; ".join(f"{group}: {_listed(list(names))}" for group, names in sorted(self._groups.items()))
        return f"{dump}: all tables are restored with their rows; not restored, and not needed to read them: {listed}"


class Restoration:
    """Run the statements of one dump on a connection to a new database, as its owner without other rights."""

    def __init__(self, connected: connection, has_encoding: bool) -> None:
        self._connection = connected
        self._cursor: cursor = connected.cursor()
        self._has_encoding = has_encoding
        self._declares_encoding = False
        self._is_under_policies = False
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._batch_table = b""
        self._database = b""
        self._filled: dict[bytes, None] = {}
        self._substitutes: list[bytes] = []
        self.tables = 0
        self._cursor.execute("SELECT rolname FROM pg_roles")
        self.skipped = Skipped(name for (name,) in self._cursor.fetchall())

    def run(self, script: DumpScript) -> None:
        """Run the whole script. Raises ChuError at the first statement that may not be skipped and fails."""
        for item in script:
            if isinstance(item, MetaCommand):
                self._flush()
                self._obey(item)
                continue
            if insert := _INSERT.match(b" ".join(item.text[:SHORT_HEAD].split())):
                self._insert(item.text, insert[1])
                continue
            self._flush()
            head = b" ".join(item.text[:LONG_HEAD].split())
            if b"\0" in item.text:
                raise ChuError(f"the statement that ends in line {item.line} contains a zero byte: ask for it again")
            self._statement(item, head, script)
        self._flush()
        if self._connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
            raise CutDumpError("it begins a transaction that it does not end: it was cut, ask for it again")
        hidden = self.skipped.names("row-level security")
        if self._is_under_policies and hidden:
            raise ChuError(
                f"it was made with `pg_dump --enable-row-security` and may lack rows of {_listed(hidden)}: ask for it "
                "without this option, made by a user that sees every row"
            )
        if not self.tables:
            raise CutDumpError("it is not a PostgreSQL dump with tables: ask for the whole output of pg_dump")

    def _statement(self, item: Statement, head: bytes, script: DumpScript) -> None:
        for pattern, group in _NOT_RUN:
            if found := pattern.match(head):
                self.skipped.add(group, found[1] if pattern.groups else None)
                return
        if encoding := _ENCODING.match(head):
            self._declares_encoding = True
            if encoding[1].upper() == b"SQL_ASCII" and self._has_encoding:
                raise OtherEncodingError
        self._is_under_policies |= _WITH_POLICIES.match(head) is not None
        if strings := _STRINGS.match(head):
            script.all_strings_have_escapes = strings[1] is not None
        if copy := _COPY.match(head):
            self._copy(item.text, copy[1], script)
        elif _CREATES_TABLE.match(head) or _CREATES_TYPE.match(head):
            self._create(item.text, head)
        else:
            self._run_or_skip(item.text, head)

    def _run_or_skip(self, text: bytes, head: bytes) -> None:
        """Run a statement. Its failure is no loss if it has no rows and needs something that does not exist here."""
        error = self._tried(text)
        if error is None:
            return
        for pattern, group in _WITHOUT_ROWS:
            found = pattern.match(head)
            if found and not _ENCODING.match(head) and (error.pgcode or "").startswith(_MISSING):
                self.skipped.add(group, found[1] if pattern.groups else None)
                return
        raise _failure(error, _words(head)) from None

    def _create(self, text: bytes, head: bytes) -> None:
        """Create a table, type or schema, if need be without what it can do without."""
        for _ in range(MAX_REPAIRS):
            error = self._tried(text)
            if error is None:
                if _CREATES_TABLE.match(head):
                    self._require_one_database()
                    self.tables += 1
                return
            repaired = self._repaired(text, error)
            if repaired is None:
                break
            text = repaired
        if not _CREATES_TABLE.match(head):
            self._run_or_skip(text, head)
            return
        assert error
        missing = self.skipped.names("extensions")
        needs = f"; it may need what is not installed here: {_listed(missing)}" if missing else ""
        raise ChuError(f"{_failure(error, _words(head))}{needs}")

    def _repaired(self, text: bytes, error: psycopg2.Error) -> bytes | None:
        """The statement without something that does not exist here; None if nothing is known that would help."""
        message = error.diag.message_primary or ""
        missing = _NO_TYPE.search(message)
        if missing and self.skipped.names("extensions"):
            # Values of a type are dumped as text, and are read as text.
            name = ".".join(f'"{part}"' for part in missing[1].split("."))
            if self._tried(f"CREATE DOMAIN {name} AS text".encode()) is None:
                self._substitutes.append(missing[1].rpartition(".")[2].encode())
                self.skipped.add("types that are read as text", missing[1].encode())
                return text
        if not (error.pgcode or "").startswith(_MISSING):
            return None
        patterns = list(_DISPENSABLE)
        if "type modifier" in message:
            patterns = [re.compile(rb"(?<=\b" + name + rb")\([^)]*\)") for name in self._substitutes]
        for pattern in patterns:
            if (repaired := pattern.sub(b"", text)) != text:
                return repaired
        return None

    def _insert(self, text: bytes, table: bytes) -> None:
        if table != self._batch_table or self._batch_bytes > BATCH_BYTES:
            self._flush()
        if b"\0" in text:
            raise ChuError(f"a row of {_shown(table)} contains a zero byte: ask for it again")
        self._batch_table = table
        self._batch.append(text)
        self._batch_bytes += len(text)

    def _flush(self) -> None:
        """Send the INSERT statements that wait."""
        if not self._batch:
            return
        error = self._tried(b";\n".join(self._batch))
        self._batch, self._batch_bytes = [], 0
        if error:
            raise self._rows_failed(error, self._batch_table) from None

    def _copy(self, text: bytes, table: bytes, script: DumpScript) -> None:
        rows = script.copy_rows()
        try:
            # The driver takes bytes too, which its types do not say.
            self._cursor.copy_expert(text, rows, COPY_BUFFER_BYTES)  # type: ignore[arg-type]
            failed = None
        except psycopg2.Error as error:
            failed = self._rows_failed(error, table)
        if rows.is_cut:
            raise CutDumpError(f"it ends in the middle of the rows of {_shown(table)}: it was cut, ask for it again")
        if failed:
            raise failed

    def _rows_failed(self, error: psycopg2.Error, table: bytes) -> Exception:
        if error.pgcode == NOT_IN_ENCODING and self._has_encoding and not self._declares_encoding:
            return OtherEncodingError()
        return _failure(error, f"the rows of {_shown(table)}")

    def _tried(self, text: bytes) -> psycopg2.Error | None:
        """Run a statement; returns its error. In a transaction of the dump, only this statement is undone."""
        in_transaction = self._connection.info.transaction_status != TRANSACTION_STATUS_IDLE
        try:
            if in_transaction:
                self._cursor.execute("SAVEPOINT before_statement")
            self._cursor.execute(text)
        except psycopg2.Error as error:
            if in_transaction and not self._connection.closed:
                self._cursor.execute("ROLLBACK TO SAVEPOINT before_statement")
            return error
        return None

    def _obey(self, command: MetaCommand) -> None:
        """Do what a command of psql says, if dumps have it. Nothing else is done, and no program is run."""
        if command.name in _HARMLESS:
            return
        if command.name == "encoding":
            self._declares_encoding = True
            if b"SQL_ASCII" in command.arguments.upper() and self._has_encoding:
                raise OtherEncodingError
            if (error := self._tried(b"SET client_encoding = '%s'" % command.arguments.strip(b"';"))) is not None:
                raise _failure(error, "its encoding")
        elif command.name in _CONNECT:
            target = command.arguments.split()
            self._database = target[-1] if target else b""
        else:
            raise ChuError(
                f"line {command.line} has the command \\{command.name} of psql, which is not run: a dump needs no such "
                "command; ask for the output of pg_dump"
            )

    def _require_one_database(self) -> None:
        """Raise ChuError when the tables of the dump are of several databases."""
        self._filled[self._database] = None
        if len(self._filled) > 1:
            raise ChuError(
                f"it contains several databases (also {_shown(self._database)}): ask for the output of pg_dump of one"
            )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _words(head: bytes) -> str:
    """What a statement does and to what, without any value of it."""
    found = re.match(rf"((?:[A-Z]+ ){{1,4}})(?:IF (?:NOT )?EXISTS |ONLY )*(?!\$)({_NAME})".encode("latin-1"), head)
    return _shown(found[1].replace(b" ONLY ", b" ") + found[2]) if found else "a statement"


def without_values(message: str, state: str) -> str:
    """A message of the server without any value of a row, for an error with this SQLSTATE.

    Values are in quotes or behind a colon. Messages about objects, rights and constraints have only names.
    """
    if state.startswith("P0"):
        return "a function raised an error"
    if state.startswith(("42", "23", "3F", "0A", "2B")) and state != "42601":
        return message
    return re.sub(r'\s*"[^"]*"|:.*', "", message, flags=re.S)


def _failure(error: psycopg2.Error, what: str) -> ChuError:
    """The error of the server: at which object or row, and why. Its detail, which may contain values, is left out."""
    state = error.pgcode or ""
    message = without_values(error.diag.message_primary or "the server ended", state)
    if state == DISK_FULL:
        message = "the disk of the embedded PostgreSQL is full"
    place = re.search(r"COPY \S+, line (\d+)(?:, column (\w+))?", error.diag.context or "")
    where = f", row {place[1]}{f', column {place[2]}' if place[2] else ''}" if place else ""
    return ChuError(f"{what}{where}: {message} ({state or 'no SQLSTATE'})")
