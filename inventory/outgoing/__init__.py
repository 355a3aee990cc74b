"""Messages on their way out: endpoints, addresses, signatures, forms and the one guarded way."""
