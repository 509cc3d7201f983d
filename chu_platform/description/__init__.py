"""The catalogue as data, for those who show tables and do not make them: it is read from a file of the lake.

`chu_platform.describe_catalogue` makes it from the declarations.
"""
