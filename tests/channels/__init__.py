"""The production adapters against the sandbox, over real HTTP."""
