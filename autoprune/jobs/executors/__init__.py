"""Where evaluations run: in this process, in worker processes, or in Ray actors."""
