"""Four marketplaces in one HTTP process: real wire formats, limits and delays, and shoppers."""
