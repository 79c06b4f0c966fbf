"""The only SQL: one schema, one list of migrations, one transaction at a time."""
