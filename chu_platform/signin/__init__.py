"""Sign-in in a browser: its pages in French, cookies, the identity provider, and who a request comes from."""
