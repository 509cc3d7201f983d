"""The tables of the lake for the BI tools of the group: contents, server, roles, load and description of the marts.

What a mart holds, and who reads which rows of it, follows from the access policies of the tables, as at the gate.
"""
