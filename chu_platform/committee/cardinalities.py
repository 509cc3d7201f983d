"""The cardinalities of the conceptual model, measured: `python -m chu_platform.committee.cardinalities`."""

from chu_platform.command import run_command
from chu_platform.committee.chapters.conceptual_model import in_words, models
from chu_platform.committee.merise import cardinality
from chu_platform.committee.sql import query
from chu_platform.description.file import current_catalogue
from chu_platform.settings import load_settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root


def main() -> None:
    """Print each part of the model: its SQL, and each association with the cardinalities of its entities."""
    settings = load_settings()
    root = lake_root(settings)
    catalogue = current_catalogue(root, settings.work_folder)
    for model in models(catalogue):
        rows = query(Lake(root), catalogue, model.cardinalities_sql)
        print(f"{model.title}\n{model.cardinalities_sql}")
        for line in in_words(model, [cardinality(bool(alone), bool(several)) for _, alone, several in rows]):
            print(f"  {line}")


if __name__ == "__main__":
    run_command(main)
