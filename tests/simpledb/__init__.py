"""Amazon SimpleDB for tests: its query API of 2009-04-15 over HTTP, as AWS's developer guide says that it answers."""
