"""The bundle: a schedule with the pruned network that goes with it, its report and its proof."""
