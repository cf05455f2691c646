"""Discovery of behavioural user segments that can be delivered through media under a budget."""
