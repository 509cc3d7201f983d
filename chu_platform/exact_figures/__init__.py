"""Exact figures of own sites: pages beside the portal, made by a process of its own, for signed-in accounts.

Only this process reads the pseudonymised zone for the portal, and only through the gate. The process of the portal
forwards requests below OWN_FIGURES to it.
"""
