-- One process at a time migrates. Nobody may take this lock who may only read the table.
LOCK TABLE zeke_jobs.migration IN SHARE UPDATE EXCLUSIVE MODE
