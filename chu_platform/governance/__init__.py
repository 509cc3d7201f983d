"""The documents of data protection: generated in French from the policies of the tables and from what checks measured.

`chu governance DIR` writes them (decision 0067). A document is one module with a function that takes the `Inputs` and
gives a `Document` of the package `committee`, whose writers write it. What neither a declaration nor a check says is
shown as missing, never invented. `chu retention` and `chu drill` execute what two of the documents describe.
"""
