-- Lock the table of migrations, so that only one process at a time migrates. A role that may only read the table cannot take this lock.
LOCK TABLE zeke_jobs.migration IN SHARE UPDATE EXCLUSIVE MODE
