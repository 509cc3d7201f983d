"""The tables of the published zone beside the masked tables: search lists, and the share of figures that is masked."""
