"""The reports of the committee: generated in French as HTML, Markdown and PDF (`chu report`, decision 0062).

How a chapter is written
    A chapter is one module with one object `Chapter` (`document.py`): a slug, a title, the sentences of the brief that
    it answers (identifiers of `data/brief.csv`), and a function that takes the `Inputs` and yields blocks:

        def _blocks(inputs: Inputs) -> Iterator[Block]:
            yield Paragraph("Le lac contient des faits. Le mot `code` et **le gras** sont écrits comme en Markdown.")
            yield Heading("Volumes")
            yield inputs.table("Lignes par année", [Column("Année"), Column("Décès", number=True)],
                               "SELECT death_year, count(*) FROM facts.fact_death GROUP BY 1 ORDER BY 1")
            yield Picture(svg, "Le schéma en constellation.", command="chu dictionary DOSSIER")

        volumes = Chapter("volumes", "Les volumes", ["L1.3"], _blocks)

    A `Report` (`livrable1.py` is an example) lists its chapters, and `all_reports.py` lists the reports. Nothing else
    knows a chapter: numbers, contents, links and the check-list of the brief follow.

Rules
    - No figure is typed. A table, a picture and a measured figure need the command that gives what they show. Rows of
      the lake come from SQL by `Inputs.table` and `Inputs.figures`, whose command is then
      `python -m chu_platform.committee.sql "SELECT ..."`. What a command has recorded (a benchmark) is read from its
      table, and the block names the command, the date and the machine. What is not recorded yet is a `Missing`.
    - A picture is SVG of at most `PAGE_WIDTH` by `PAGE_HEIGHT` pixels (A4 between its margins), or `wide=True`
      (a page in landscape). It is never shrunk: `Picture` refuses a larger one. Split it instead. Text in it has at
      least `SMALLEST` pixels, in the font FONT. `drawing.py` has boxes, lines, matrices and the frame. The font lacks
      arrows and signs such as "less or equal": a text with one of them is drawn in another font in the PDF.
    - Texts are French; inline, only `code` and **bold** exist. Cells of tables are text, `Code` or `Link`.
    - Reports read the lake, Dagster's log and the declarations as data. They contain no row of a person.
"""
