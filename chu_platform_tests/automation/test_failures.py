"""Failed steps: retries and notices."""

from collections import Counter
from email import message_from_string
from pathlib import Path

import dagster as dg
import pytest

from chu_platform.care_database.embedded_postgres import PORT, EmbeddedPostgres
from chu_platform.sources.consultation import consultation
from chu_platform.sources.patient import patient
from chu_platform_tests.automation.listeners import CuttingProxy, mail_server, webhook
from chu_platform_tests.conftest import CARE
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

SECRET = "hush-hush"  # in every address
PERSON = "MARTIN"
# Fewer bytes than the consultations of the pack.
BYTES = 30_000


def restarts(home: Home) -> Counter[str]:
    """The number of restarts of each step."""
    with home.instance() as instance:
        logs = [entry for run in instance.get_runs() for entry in instance.all_logs(run.run_id)]
    again = [e for e in logs if e.dagster_event_type is dg.DagsterEventType.STEP_RESTARTED]
    return Counter(str(entry.step_key) for entry in again)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A pack whose file of stays has the name of a person in its first line, where column names are expected."""
    pack = tmp_path / "pack"
    file = pack / "Hospitalisation" / "Hospitalisations.csv"
    file.parent.mkdir(parents=True)
    file.write_text(f"1;{PERSON};2\n3;{PERSON};4\n")
    return pack


def fail(home: Home) -> str:
    """Materialise the table of the damaged file, which fails without a retry; returns the output."""
    done = home.chu("materialize", "--select", "key:sources/Hospitalisations")
    assert done.returncode == 1
    assert done.stderr.count("FAILED sources/Hospitalisations") == 1
    assert restarts(home) == {}, "a damaged file must not be read again"
    return done.stdout + done.stderr


def test_a_failure_is_sent_once_to_webhook_and_mailbox(damaged: Path, tmp_path: Path) -> None:
    with webhook() as (address, posted), mail_server() as (host, mailed):
        settings = {
            "CHU_NOTICE_WEBHOOK": f"{address}/{SECRET}",
            "CHU_NOTICE_EMAIL": "data@hospital.example",
            "CHU_SMTP_URL": f"smtp://platform:{SECRET}@{host}",
        }
        home = Home(tmp_path / "home", damaged, settings)
        printed = fail(home)
    (notice,), (mail,) = posted, mailed
    message = message_from_string(mail)
    assert message["To"] == "data@hospital.example"
    assert message["Subject"] == "CHU platform: sources/Hospitalisations failed"
    for text in (notice["text"], message.get_payload()):
        assert "sources/Hospitalisations failed in run" in text
        assert "Num_Hospitalisation" in text, "the cause"
        assert PERSON not in text
    for text in (printed, notice["text"], mail, logged(home)):
        assert SECRET not in text


def test_a_notice_that_cannot_be_sent_is_logged(damaged: Path, tmp_path: Path) -> None:
    settings = {
        "CHU_NOTICE_WEBHOOK": f"http://127.0.0.1:1/{SECRET}",
        "CHU_NOTICE_EMAIL": "data@hospital.example",
        "CHU_SMTP_URL": f"smtp://platform:{SECRET}@127.0.0.1:1",
    }
    home = Home(tmp_path / "home", damaged, settings)
    printed, log = fail(home), logged(home)
    assert "the notice could not be sent to CHU_NOTICE_WEBHOOK (ConnectionError)" in log
    assert "the notice could not be sent to CHU_NOTICE_EMAIL by CHU_SMTP_URL (ConnectionRefusedError)" in log
    assert SECRET not in printed + log
    assert "127.0.0.1" not in printed + log


def logged(home: Home) -> str:
    """All events of the runs in Dagster's log, as text."""
    with home.instance() as instance:
        logs = [entry for run in instance.get_runs() for entry in instance.all_logs(run.run_id)]
    return "\n".join(f"{entry.user_message} {entry.dagster_event or ''}" for entry in logs)


def test_after_a_cut_connection_the_step_is_retried(postgres: EmbeddedPostgres, made: Home, tmp_path: Path) -> None:
    proxy = CuttingProxy(postgres.folder / "data" / f".s.PGSQL.{PORT}", cuts=1, after=BYTES)
    with proxy.open() as port:
        home = Home(tmp_path / "home", made.pack, {"CHU_POSTGRES_URL": f"postgresql://chu@127.0.0.1:{port}/{CARE}"})
        done = home.materialize("--select", "key:sources/Consultation or key:sources/Patient")
    assert proxy.reads == 2
    assert sum(restarts(home).values()) == 1
    assert "reconnecting to the care database: later reads come from a newer snapshot" in done.stdout
    for table in (consultation, patient):
        assert rows(home.lake, table).equals(rows(made.lake, table))


def test_a_connection_that_is_always_cut_fails_with_one_notice(
    postgres: EmbeddedPostgres, made: Home, tmp_path: Path
) -> None:
    proxy = CuttingProxy(postgres.folder / "data" / f".s.PGSQL.{PORT}", cuts=99, after=BYTES)
    with proxy.open() as port, webhook() as (address, posted):
        url = f"postgresql://chu@127.0.0.1:{port}/{CARE}"
        home = Home(tmp_path / "home", made.pack, {"CHU_POSTGRES_URL": url, "CHU_NOTICE_WEBHOOK": address})
        done = home.chu("materialize", "--select", "key:sources/Consultation")
    assert done.returncode == 1
    assert "the server stopped or cut the connection; run again when it is up" in done.stderr
    assert restarts(home) == {"sources__Consultation": 2}
    assert proxy.reads == 3
    assert len(posted) == 1
    assert home.lake.open(consultation) is None
