"""Circuit breakers: who leaves a dependency alone, who tries it again, what may be retried."""
