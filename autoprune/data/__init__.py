"""Named datasets and the user's own: everything becomes tensors in memory."""
