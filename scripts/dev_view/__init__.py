"""What the local stack does, to look at: metrics, requests and their spans, alarms, on one page."""
