"""How much of what each marketplace permits is used: budgets, intake, and what a burst costs."""
