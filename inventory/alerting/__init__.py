"""What `inventory.alerts` is made of: rules, pace, advice, teams, suppliers and their clock."""
