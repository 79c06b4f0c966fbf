"""What we do with whom, and why: rules, standing, decisions, reasons. Pure."""
