"""Write-once storage: S3 with object lock. Only adds objects; reads, changes and deletes none."""
