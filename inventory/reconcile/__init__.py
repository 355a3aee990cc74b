"""What channels say they show: read back in turn, compared, and each difference with its cause."""
