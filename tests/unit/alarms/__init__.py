"""The template's alarms without CloudWatch."""
