"""What plays when: transport, plans of the slots, and who leads."""
