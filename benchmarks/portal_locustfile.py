"""Readers of a running portal, for locust: every kind of page, for views that the portal offers by links.

    pip install -e .[load]
    locust -f benchmarks/portal_locustfile.py --host http://127.0.0.1:3001 --headless --users 4 --run-time 30s

Locust prints requests a second, failures, and p50 to p100 of each kind of page. A reader waits for an answer, then asks
for the next page at once. Pages that were asked for before come from the portal's cache: start the portal anew to
measure pages that are made.
"""

import random
import re
from html import unescape

from locust import FastHttpUser, constant, task

WORDS = ("hopital", "clinique", "paris", "lyon", "750712184", "asthme", "J45", "fracture", "tumeur maligne")
LINK = re.compile(r'href="(/questions/([a-z-]+)(?:\?[^"#]*)?)"')


class Reader(FastHttpUser):
    """A reader who opens home, method, story, questions and searches, one after another, in any order."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Collect the views of each question that its page links to."""
        self.views: dict[str, list[str]] = {}
        for address, slug in LINK.findall(self.client.get("/", name="/").text):
            page = self.client.get(unescape(address), name=f"/questions/{slug}").text
            linked = {unescape(a) for a, of in LINK.findall(page) if of == slug}
            self.views[slug] = sorted({unescape(address), *linked})

    @task(3)
    def home(self) -> None:
        """The home page."""
        self.client.get("/")

    @task
    def method(self) -> None:
        """The method."""
        self.client.get("/methode")

    @task
    def story(self) -> None:
        """The story."""
        self.client.get("/recit")

    @task(12)
    def question(self) -> None:
        """A view of one of the questions."""
        slug = random.choice(sorted(self.views))
        self.client.get(random.choice(self.views[slug]), name=f"/questions/{slug}")

    @task(3)
    def search(self) -> None:
        """A search; one that finds a single place or diagnosis leads to its page."""
        kind = random.choice(("etablissements", "diagnostics"))
        self.client.get(f"/recherche/{kind}?q={random.choice(WORDS)}", name=f"/recherche/{kind}")
