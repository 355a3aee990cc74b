"""A sale night at the sandbox, watched live and audited afterwards."""
