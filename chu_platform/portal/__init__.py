"""The portal: the published indicators as pages for those who decide and those who treat, in French."""
