"""The portal: the published indicators for their readers, in French."""
