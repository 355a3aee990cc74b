"""Amazon's Selling Partner API: orders 2026-01-01, listings items 2021-08-01, feeds 2021-06-30."""
