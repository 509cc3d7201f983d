"""The attackers of published tables: what an outsider, or the head of an establishment, can compute from them.

`run_attacks` runs the ten attacks of docs/attack.md. They read published tables, public registers and, where an attack
needs the truth to judge, exact tables. They use no code and no declaration of the masks: the relations between
published figures are derived from the tables themselves and from the public hierarchies.
"""

from chu_platform.attack.findings import Finding, Result
from chu_platform.attack.inputs import Inputs, Registers
from chu_platform.attack.run import run_attacks

__all__ = ["Finding", "Inputs", "Registers", "Result", "run_attacks"]
