"""An S3 server for tests: moto, which checks signatures and policies of users once there are users.

It is a process of its own, because some calls of delta-rs hold the lock of the Python interpreter while they wait.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chu_platform.settings import Settings

BUCKET: Final = "lake"
REGION: Final = "us-east-1"
SECRET: Final = "a-secret-that-no-message-shows"
_SERVER: Final = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://{}:{}".format(*server.get_host_and_port()), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class S3Server:
    """A running server with one bucket. Without users, everybody may do everything."""

    url: str
    users: dict[str, tuple[str, str]] = field(default_factory=dict)

    def create_users(self, prefixes: Mapping[str, Sequence[str]]) -> None:
        """Create users who may read, write and delete below their prefixes only; others are refused from now on."""
        import boto3

        iam = boto3.client(
            "iam", endpoint_url=self.url, region_name=REGION, aws_access_key_id="key", aws_secret_access_key=SECRET
        )
        for user, listed in prefixes.items():
            iam.create_user(UserName=user)
            if listed:
                iam.put_user_policy(UserName=user, PolicyName="lake", PolicyDocument=json.dumps(_policy(listed)))
            key = iam.create_access_key(UserName=user)["AccessKey"]
            self.users[user] = (key["AccessKeyId"], key["SecretAccessKey"])
        self._request("moto-api/reset-auth", "POST", b"0")

    def create_bucket(self) -> None:
        """Create the bucket."""
        self._request(BUCKET, "PUT", None)

    def options(self, user: str | None = None) -> dict[str, str]:
        """Options of the store for one of the users; None for a lake without users."""
        identity, secret = self.users[user] if user else ("key", SECRET)
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": identity,
            "AWS_SECRET_ACCESS_KEY": secret,
        }

    def options_file(self, file: Path, user: str | None = None) -> Path:
        """A file with these options."""
        file.write_text("".join(f"{name}={value}\n" for name, value in self.options(user).items()), encoding="utf-8")
        return file

    def settings(self, home: Path, lake: str) -> Settings:
        """Settings of a lake in this server, without users; the options of all zones are in one file below `home`."""
        file = self.options_file(home / "options")
        return Settings(
            _env_file=None,
            home=home,
            lake=lake,
            lake_options_restricted=file,
            lake_options_pseudonymised=file,
            lake_options_published=file,
        )

    def _request(self, path: str, method: str, body: bytes | None) -> None:
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.url}/{path}", method=method, data=body, headers=headers)
        urllib.request.urlopen(request).close()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with an empty bucket, until the end of the block."""
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        server = S3Server(process.stdout.readline().strip())
        server.create_bucket()
        yield server
        process.kill()


def _policy(prefixes: Sequence[str]) -> object:
    objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": objects, "Resource": [f"arn:aws:s3:::{BUCKET}/{p}*" for p in prefixes]},
            # The client deletes several objects in one request, for which moto checks the bucket and not the objects.
            {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:DeleteObject"], "Resource": f"arn:aws:s3:::{BUCKET}"},
        ],
    }
