"""Tables of invented family names and common given names. They describe no real person."""

from random import Random

import duckdb
import pyarrow as pa

NAME_SLOTS = 4_096
MALE = (
    *(
        "Jean",
        "Pierre",
        "Michel",
        "André",
        "Philippe",
        "René",
        "Louis",
        "Alain",
        "Jacques",
        "Bernard",
        "Marcel",
    ),
    *(
        "Daniel",
        "Roger",
        "Robert",
        "Paul",
        "Claude",
        "Henri",
        "Nicolas",
        "Thomas",
        "Antoine",
        "Hugo",
        "Lucas",
    ),
    *("Théo", "Gaël", "Noël", "Benoît", "François", "Gérard", "Émile", "Raphaël"),
)
FEMALE = (
    *("Marie", "Jeanne", "Françoise", "Monique", "Catherine", "Nathalie", "Isabelle", "Jacqueline", "Anne"),
    *("Sylvie", "Martine", "Nicole", "Hélène", "Simone", "Denise", "Yvonne", "Suzanne", "Madeleine", "Chloé"),
    *(
        "Léa",
        "Camille",
        "Inès",
        "Zoé",
        "Anaïs",
        "Maëlys",
        "Odette",
        "Renée",
        "Geneviève",
        "Thérèse",
        "Solène",
    ),
)
HEADS = (
    *("Bau", "Cor", "Dra", "Fau", "Gri", "Jou", "Lan", "Mar", "Nau", "Pel"),
    *("Qué", "Rou", "Sau", "Tré", "Val", "Ver", "Bré", "Chau", "Œuv", "Guil"),
)
MIDDLES = ("bri", "dé", "lan", "mo", "né", "pi", "ra", "ti", "vo", "zé", "chon", "gnol")
TAILS = ("ac", "ard", "eau", "el", "et", "eux", "in", "ois", "ot", "oux", "y", "ault", "ière", "ane")
UNACCENTED = str.maketrans("àâäçéèêëîïôöùûüÉÈÀÇÎÔŒœ", "aaaceeeeiioouuuEEACIOOo")


def unaccented(text: str) -> str:
    """The text in ASCII letters, as in old registers."""
    return text.replace("œ", "oe").replace("Œ", "OE").translate(UNACCENTED)


def family_name(random: Random) -> str:
    """An invented, French-looking family name, with accents."""
    middle = random.choice(MIDDLES) if random.random() < 0.7 else ""
    return random.choice(HEADS) + middle + random.choice(TAILS)


def create_names(connection: duckdb.DuckDBPyConnection, random: Random) -> None:
    """Create `name_slots`: slot, family, male, female (one given name), males, females (all given names).

    `family_plain`, `males_plain` and `females_plain` are the same in unaccented capitals.
    """

    def several(names: tuple[str, ...]) -> str:
        return " ".join(random.sample(names, random.choice((1, 2, 2, 3))))

    families = [family_name(random) for _ in range(NAME_SLOTS)]
    males = [several(MALE) for _ in range(NAME_SLOTS)]
    females = [several(FEMALE) for _ in range(NAME_SLOTS)]
    table = pa.table(
        {
            "slot": pa.array(range(NAME_SLOTS), pa.int64()),
            "family": families,
            "male": [name.split()[0] for name in males],
            "female": [name.split()[0] for name in females],
            "family_plain": [unaccented(name).upper() for name in families],
            "males_plain": [unaccented(name).upper() for name in males],
            "females_plain": [unaccented(name).upper() for name in females],
        }
    )
    connection.register("names_arrow", table)
    connection.execute("CREATE TABLE name_slots AS SELECT * FROM names_arrow ORDER BY slot")
    connection.unregister("names_arrow")
