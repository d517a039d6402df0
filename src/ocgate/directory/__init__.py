"""Who exists: accounts, their roles and groups."""
