"""Documents for readers, in French, generated from the declarations: data dictionary, lineage, quality report."""
