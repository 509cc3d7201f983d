"""The SQL engine: one Spark Connect client, and the two servers it can talk to.

Here: starting and stopping servers, the session, running a declared query. Not here: what the queries say.
"""
