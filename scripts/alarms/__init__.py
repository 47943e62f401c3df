"""The template's alarms without CloudWatch: read, and judged on numbers, as it would judge them."""
