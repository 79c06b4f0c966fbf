"""What is seen from outside: event names and log lines."""
