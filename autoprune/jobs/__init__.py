"""Running a job: the driver loop, its stages, resume, the lease and the executors."""
