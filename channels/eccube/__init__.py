"""EC-CUBE 4's Web API plugin: orders and absolute stock over GraphQL, notices without a retry."""
