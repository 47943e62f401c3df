"""Every minute, from outside: does the deployment answer as it should, and refuse what it must?"""
