"""One fact, asked of one model in memory: the library by name (``import dkn``), and what ``dkn ask`` prints."""
