"""Rakuten Ichiba by RMS WEB SERVICE: orders, numbers and cancellations of one shop."""
