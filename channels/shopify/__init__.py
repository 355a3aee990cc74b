"""Shopify's Admin GraphQL API 2026-10: orders, stock at one location, cancellations."""
