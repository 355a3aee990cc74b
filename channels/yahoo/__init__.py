"""Yahoo! Shopping by its store APIs: orders, numbers and cancellations of one store."""
