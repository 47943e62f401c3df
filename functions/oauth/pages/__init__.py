"""The HTML that people see."""
