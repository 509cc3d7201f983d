"""Notice of a failed step: always in the log of the run; if configured, also to a webhook or by e-mail."""

import smtplib
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

import dagster as dg

from chu_platform.settings import Settings, load_settings

TIMEOUT_SECONDS: Final = 10


@dg.failure_hook(name="failure_notice")
def failure_notice(context: dg.HookContext) -> None:
    """Send the notice of a failed step. A notice that cannot be sent gives a warning in the log of the run."""
    error = context.op_exception
    cause = error.description if isinstance(error, dg.Failure) else type(error).__name__
    asset = context.op.name.replace("__", "/", 1)
    text = f"{asset} failed in run {context.run_id}: {cause}"
    context.log.error(text)
    for problem in send(load_settings(), f"CHU platform: {asset} failed", text):
        context.log.warning(problem)


def send(settings: Settings, subject: str, text: str) -> list[str]:
    """Send a notice to the configured webhook and e-mail address.

    Returns a message for each failed delivery, without addresses, because an address may contain a token.
    """
    import requests  # imported here because the import takes 0.1 s

    problems = []
    try:
        if settings.notice_webhook:
            answer = requests.post(
                settings.notice_webhook.get_secret_value(), json={"text": text}, timeout=TIMEOUT_SECONDS
            )
            answer.raise_for_status()
    except requests.RequestException as error:
        problems.append(f"the notice could not be sent to CHU_NOTICE_WEBHOOK ({type(error).__name__})")
    try:
        if settings.notice_email:
            _mail(settings, subject, text)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        problems.append(f"the notice could not be sent to CHU_NOTICE_EMAIL by CHU_SMTP_URL ({type(error).__name__})")
    return problems


def _mail(settings: Settings, subject: str, text: str) -> None:
    """Send an e-mail with smtp:// (with STARTTLS if the server supports it) or smtps://.

    Raises OSError or SMTPException.
    """
    message = EmailMessage()
    message["Subject"], message["To"] = subject, settings.notice_email
    message["From"] = settings.notice_email
    message.set_content(text)
    url = urlsplit(settings.smtp_url.get_secret_value())
    secure = url.scheme == "smtps"
    kind = smtplib.SMTP_SSL if secure else smtplib.SMTP
    with kind(url.hostname or "localhost", url.port or (465 if secure else 25), timeout=TIMEOUT_SECONDS) as server:
        if not secure and server.ehlo()[0] == 250 and server.has_extn("starttls"):
            server.starttls()
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)
