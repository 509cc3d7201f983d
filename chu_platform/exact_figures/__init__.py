"""Exact figures of own sites, and own counts of practitioners, for signed-in accounts, by a process of their own.

Only this process reads the pseudonymised zone for the portal, and only through the gate. The process of the portal
forwards requests below OWN_FIGURES and OWN_ACTIVITY to it.
"""
