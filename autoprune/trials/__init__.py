"""The trial database: what has been tried, kept so that a job can go on after any crash."""
