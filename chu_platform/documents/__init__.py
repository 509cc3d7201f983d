"""Documents for readers, in French, generated from the described tables: data dictionary, lineage, quality report."""
