"""The English texts of the Dagster UI: what tables and columns are. The French ones are for readers of the documents.

A table is described by the docstring of the module that declares it. The descriptions of columns are French in the
declarations; `data/english_columns.json` has the English text of each.
"""

import json
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from chu_platform.tables.columns import Column
from chu_platform.tables.table import Layer, Table

# What the layer says of a table, after its description.
_LAYERS: Final[Mapping[Layer, str]] = {
    Layer.SOURCES: "As delivered, with types.",
    Layer.HISTORY: "Each delivery that changes a row adds a version.",
    Layer.REJECTS: "Delivered rows that could not be kept, with the reasons.",
    Layer.KPIS: "Exact figures.",
    Layer.CANDIDATES: "What could be published now.",
    Layer.EDITIONS: "The rows of the last edition, with what it decided.",
    Layer.PUBLISHED: "What readers see.",
}
# Columns of care-quality files are described alike.
_INDICATOR: Final = r"(\w+) : "
_ALIKE: Final = (
    (r"chiffre exact : (\w+)", r"exact figure: \1"),
    (r"(\w+) à la dernière publication de la ligne", r"\1 at the last publication of the row"),
    (r"résultat de (\w+) \(score sur 100\)", r"result of \1 (score of 100)"),
    (r"résultat de (\w+) \(%\)", r"result of \1 (%)"),
    (r"résultat de (\w+) \(% ou score sur 100\)", r"result of \1 (% or score of 100)"),
    (r"résultat de (\w+) \(% de l’objectif\)", r"result of \1 (% of the target)"),
    (r"résultat de (\w+) \(ratio observé / attendu\)", r"result of \1 (observed / expected ratio)"),
    (_INDICATOR + "dossiers ou séjours dont le résultat est tiré", r"\1: records or stays of the result"),
    (_INDICATOR + "borne basse de l’intervalle de confiance", r"\1: lower bound of the confidence interval"),
    (_INDICATOR + "borne haute de l’intervalle de confiance", r"\1: upper bound of the confidence interval"),
    (_INDICATOR + "issue du contrôle d’un échantillon", r"\1: outcome of the check of a sample"),
    (_INDICATOR + "mots écrits à la place du résultat", r"\1: words written in place of the result"),
    (_INDICATOR + "classe, ou motif de son absence", r"\1: class, or the reason why there is none"),
    (_INDICATOR + "évolution depuis le recueil précédent", r"\1: change since the survey before"),
    (_INDICATOR + "évolution de la classe : -1, 0, 1", r"\1: change of the class: -1, 0, 1"),
)


def english_table(table: Table, module: Path) -> str:
    """What a table is, which the module declares; that of rejects declares their source."""
    documented = (_docstrings().get(str(module)) or "").split("\n\n")[0]
    closed = "Of the closed years only." if table.name.endswith("_of_closed_years") else None
    return " ".join(filter(None, [*documented.split(), _LAYERS.get(table.layer), closed]))


@cache
def _docstrings() -> Mapping[str, str | None]:
    """The docstrings of the modules that are loaded, by file."""
    loaded = [*sys.modules.values()]
    return {file: module.__doc__ for module in loaded if (file := getattr(module, "__file__", None))}


def english_column(column: Column) -> str:
    """What a column is: its English text, or the French one if there is none (of another project's table)."""
    return english_of(column.description) or column.description


@cache
def english_of(description: str) -> str | None:
    """The English text of the French description of a column; None if there is none."""
    for pattern, replacement in _ALIKE:
        if match := re.fullmatch(pattern, description):
            return match.expand(replacement)
    return columns().get(description)


@cache
def columns() -> Mapping[str, str]:
    """The English text of each French description that is not like others."""
    text = files(__package__).joinpath("data/english_columns.json").read_text(encoding="utf-8")
    found: Mapping[str, str] = json.loads(text)
    return found
