"""Jobs of the batch API: started, waited for, and their results."""
